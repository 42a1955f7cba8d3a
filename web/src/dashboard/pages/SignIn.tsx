import { useEffect, useState } from 'preact/hooks';
import { Button, LinkButton } from '../../design/Button';
import { Field } from '../../design/Field';
import { Notice, Refusal } from '../../design/Notice';
import { Problem } from '../api/client';
import { signIn } from '../api/session';
import { useAct } from '../load';
import { address, setQuery } from '../router';
import { Mark } from '../Shell';
import { refusals, signOnAddress, signOnName } from '../signOn';
import { farewell } from '../state';
import { t } from '../text';

/** Stands at whatever address was asked for, and gives way to it. */
export function SignIn() {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState<string>();
  const act = useAct();
  // Said once: a page that is loaded again tells nothing of what was tried before.
  const [refusal] = useState(() => address.value.searchParams.get('sign-on') ?? '');
  const refused = refusals[refusal];
  useEffect(() => { setQuery({ 'sign-on': null }); }, []);
  useEffect(() => { document.title = `${t('Sign in')} · Apertur`; }, []);
  const submit = () => act.run(async () => {
    try {
      await signIn(email, password, code ?? '');
    } catch (problem) {
      if (!(problem instanceof Problem && problem.code === 'TOTP_REQUIRED')) throw problem;
      setCode('');
    }
  });
  return (
    <main class="alone">
      <Mark />
      <div class="card">
        <form class="body stack" onSubmit={event => { event.preventDefault(); void submit(); }}>
          <div><h1>{t('Sign in')}</h1><p class="quiet anywhere">{location.host}</p></div>
          {farewell.value === 'ended' && <Notice kind="info">{t('You have been signed out. Sign in again to go on.')}</Notice>}
          {farewell.value === 'elsewhere' && <Notice kind="info">{t('You signed out in another tab.')}</Notice>}
          {refused && signOnName && <div role="alert"><Notice kind={refusal === 'link' ? 'info' : 'bad'}>{t(refused, { name: signOnName })}</Notice></div>}
          <Field label={t('E-mail address')} type="email" value={email} onInput={setEmail} autocomplete="username" required autofocus />
          <Field label={t('Password')} type="password" value={password} onInput={setPassword} autocomplete="current-password" required />
          {code !== undefined && (
            <Field label={t('Code from your authenticator app')} value={code} onInput={setCode} autocomplete="one-time-code" inputMode="numeric" required autofocus />
          )}
          <Refusal of={act.problem} />
          <Button primary submit busy={act.busy}>{t('Sign in')}</Button>
          {signOnName && <LinkButton href={signOnAddress()}>{t('Sign in with {name}', { name: signOnName })}</LinkButton>}
        </form>
      </div>
      <p class="quiet small alone-note">{t('Forgotten the password? Whoever runs this server can make a link that signs you in.')}</p>
      <p class="quiet small"><a href="/docs">{t('For developers: the API')}</a></p>
    </main>
  );
}
