import { Notice } from '../design/Notice';
import type { Schemas } from './api/client';
import { t } from './text';

/** What a destination answered to a test. */
export function TestAnswer({ of }: { of: Schemas['DestinationTest'] | undefined }) {
  return (
    <div role="status">
      {of && (
        <Notice kind={of.success ? 'good' : 'bad'}>
          <strong>{of.success ? t('It works') : t('It does not work')}</strong>{of.status !== undefined && ` · HTTP ${of.status}`}
          {(of.error ?? of.message) && <><br />{of.error ?? of.message}</>}
        </Notice>
      )}
    </div>
  );
}
