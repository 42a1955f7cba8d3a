import { Check, Copy as CopyIcon } from 'lucide';
import { useState } from 'preact/hooks';
import { t } from '../dashboard/text';
import { Button } from './Button';

/** Text that is wanted elsewhere. `whole`: nothing of it is cut off. */
export function Copy({ text, what, whole = false }: { text: string; what: string; whole?: boolean }) {
  return <div class={whole ? 'copy whole' : 'copy'}><code title={whole ? undefined : text}>{text}</code><CopyButton text={text} what={what} /></div>;
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <>
      <Button plain icon={copied ? Check : CopyIcon} label={t('Copy {what}', { what })} onClick={() => void copy()} />
      <span class="unseen" role="status">{copied ? t('Copied') : ''}</span>
    </>
  );
}
