import { Check, Copy as CopyIcon, Eye, EyeOff } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../dashboard/text';
import { Button } from './Button';
import { copyText } from './clipboard';

/** Text that is wanted elsewhere. `whole`: nothing of it is cut off. `secret`: whoever looks on sees it only when that is asked for. */
export function Copy({ text, what, whole = false, secret = false }: { text: string; what: string; whole?: boolean; secret?: boolean }) {
  const [shown, setShown] = useState(!secret);
  return (
    <div class={whole ? 'copy whole' : 'copy'}>
      <code title={whole || !shown ? undefined : text}>{shown ? text : '•'.repeat(16)}</code>
      {secret && <Button plain icon={shown ? EyeOff : Eye} label={t(shown ? 'Hide {what}' : 'Show {what}', { what })} onClick={() => setShown(!shown)} />}
      <CopyButton text={text} what={what} />
    </div>
  );
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState<boolean>();
  useEffect(() => {
    if (copied !== true) return;
    const timer = setTimeout(() => setCopied(undefined), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <>
      <Button plain icon={copied ? Check : CopyIcon} label={t('Copy {what}', { what })} onClick={() => void copyText(text).then(setCopied)} />
      <span class={copied === false ? 'problem' : 'unseen'} role="status">
        {copied === false ? t('This browser does not let us copy. Select the text and copy it yourself.') : copied ? t('Copied') : ''}
      </span>
    </>
  );
}
