import { X } from 'lucide';
import { dismiss, toasts } from '../dashboard/state';
import { t } from '../dashboard/text';
import { Button } from './Button';
import { Notice } from './Notice';

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, text, kind }) => (
        <Notice key={id} kind={kind} action={<Button plain icon={X} label={t('Dismiss')} onClick={() => dismiss(id)} />}>{text}</Notice>
      ))}
    </div>
  );
}
