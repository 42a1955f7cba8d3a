import { useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Copy } from '../../design/Copy';
import { Field, Segments, Select } from '../../design/Field';
import { Notice, Refusal } from '../../design/Notice';
import { Status } from '../../design/Status';
import { api, ok } from '../api/client';
import { renew } from '../api/session';
import { Head } from '../Head';
import { useAct } from '../load';
import { signOnName } from '../signOn';
import { language, person, scheme, toast } from '../state';
import { t } from '../text';

/** The person's own: looks, password, one-time codes. */
export default function Account() {
  return (
    <>
      <Head title={t('Your account')} />
      <div class="stack">
        <section class="card">
          <header><h2>{t('Appearance')}</h2></header>
          <div class="body fields">
            <Select label={t('Language')} value={language.value} onInput={value => { language.value = value as typeof language.value; }}
              options={[{ value: 'en', label: 'English' }, { value: 'fr', label: 'Français' }, { value: 'es', label: 'Español' }]} />
            <div class="field"><span class="legend">{t('Colours')}</span><div>
              <Segments label={t('Colours')} value={scheme.value} onInput={value => { scheme.value = value; }}
                options={[{ value: 'system', label: t('As the device') }, { value: 'light', label: t('Light') }, { value: 'dark', label: t('Dark') }]} />
            </div></div>
          </div>
        </section>
        {person.value?.hasPassword === false
          ? <Notice kind="info">{t('You sign in with {name} and have no password here. Whoever runs this server can make a link to set one.', { name: signOnName ?? '–' })}</Notice>
          : <><Password /><Codes /></>}
      </div>
    </>
  );
}

function Password() {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const act = useAct();
  const wrong = act.problem?.fields ?? new Map<string, string>();
  const save = () => act.run(async () => {
    await ok(api.POST('/api/v1/me/password', { body: { currentPassword: old, newPassword: fresh } }));
    setOld('');
    setFresh('');
    toast(t('Your password is changed. Everywhere else you are signed out.'));
  });
  return (
    <form class="card" onSubmit={event => { event.preventDefault(); void save(); }}>
      <header><div><h2>{t('Password')}</h2><p>{person.value?.email}</p></div></header>
      <div class="body stack">
        <input type="hidden" autocomplete="username" value={person.value?.email} />
        <div class="fields">
          <Field label={t('Current password')} type="password" value={old} onInput={setOld} autocomplete="current-password" required wrong={wrong.get('currentPassword')} />
          <Field label={t('New password')} type="password" value={fresh} onInput={setFresh} autocomplete="new-password" required minLength={8} maxLength={256} hint={t('At least 8 characters.')} wrong={wrong.get('newPassword')} />
        </div>
        <Refusal of={act.problem} />
      </div>
      <footer><Button primary submit busy={act.busy}>{t('Change password')}</Button></footer>
    </form>
  );
}

function Codes() {
  const [secret, setSecret] = useState<string>();
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const act = useAct();
  const on = person.value?.totpEnabled === true;
  const submit = () => act.run(async () => {
    if (on) await ok(api.DELETE('/api/v1/me/totp', { body: { password } }));
    else if (secret === undefined) { setSecret((await ok(api.POST('/api/v1/me/totp'))).secret); return; }
    else await ok(api.POST('/api/v1/me/totp/confirm', { body: { code } }));
    setSecret(undefined);
    setPassword('');
    setCode('');
    await renew();
    toast(on ? t('One-time codes are off.') : t('One-time codes are on.'));
  });
  return (
    <form class="card" onSubmit={event => { event.preventDefault(); void submit(); }}>
      <header><div><h2>{t('One-time codes')}</h2><p>{t('A code from an authenticator app is asked for beside your password.')}</p></div><Status of={on ? 'on' : 'off'} /></header>
      {(on || secret !== undefined || act.problem) && <div class="body stack">
        {on && <Field label={t('Password')} type="password" value={password} onInput={setPassword} autocomplete="current-password" required />}
        {secret !== undefined && (
          <>
            <p>{t('Enter this secret into your authenticator app, and then the code that it shows.')}</p>
            <Copy text={secret} what={t('Secret')} whole />
            <Field label={t('Code from your authenticator app')} value={code} onInput={setCode} inputMode="numeric" autocomplete="one-time-code" required autofocus />
          </>
        )}
        <Refusal of={act.problem} />
      </div>}
      <footer><Button primary={!on} danger={on} submit busy={act.busy}>{on ? t('Switch off') : secret === undefined ? t('Set up') : t('Switch on')}</Button></footer>
    </form>
  );
}
