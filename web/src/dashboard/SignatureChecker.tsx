import { useState } from 'preact/hooks';
import { Button } from '../design/Button';
import { Dialog } from '../design/Dialog';
import { Field } from '../design/Field';
import { Notice } from '../design/Notice';
import { check, type Verdict } from './signature';
import { t } from './text';

/** Says whether a request is signed as it should be. Everything stays in the browser. */
export function SignatureChecker({ secret: known, onClose }: { secret: string; onClose: () => void }) {
  const [body, setBody] = useState('');
  const [headers, setHeaders] = useState('');
  const [secret, setSecret] = useState(known);
  const [verdict, setVerdict] = useState<Verdict>();
  const changed = (set: (value: string) => void) => (value: string) => { setVerdict(undefined); set(value); };
  // Browsers have it only where nobody else can change the page.
  const able = window.isSecureContext;
  return (
    <Dialog title={t('Check a signature')} broad onClose={onClose} onSubmit={() => void check(body, headers, secret, Date.now()).then(setVerdict)}
      actions={<Button primary submit disabled={!able}>{t('Check')}</Button>}>
      <p class="quiet">{t('Paste a request as your program received it. It is checked in this browser; nothing of it is sent anywhere.')}</p>
      {!able && <Notice kind="warn">{t('Browsers check signatures only on pages that came by HTTPS.')}</Notice>}
      <Field label={t('Body')} type="document" value={body} onInput={changed(setBody)} autofocus />
      <Field label={t('Headers')} type="document" value={headers} onInput={changed(setHeaders)} required hint={t('One a line, as name: value.')} />
      <Field label={t('Secret')} type="password" value={secret} onInput={changed(setSecret)} required autocomplete="off" />
      <div role="status">{verdict && <Notice kind={verdict.valid ? 'good' : 'bad'}>{t(verdict.words, verdict.holes)}</Notice>}</div>
    </Dialog>
  );
}
