import { useState } from 'preact/hooks';
import { t } from './text';

/** A picture that fits the page, and at a click is shown in its own size. */
export function Zoomable({ source, alt, onError }: { source: string; alt: string; onError?: () => void }) {
  const [whole, setWhole] = useState(false);
  return (
    <div class={whole ? 'viewer whole' : 'viewer'}>
      <button type="button" class="picture-button" aria-label={whole ? t('Show all of it') : t('Show in full size')} aria-pressed={whole} onClick={() => setWhole(!whole)}>
        <img src={source} alt={alt} onError={onError} />
      </button>
    </div>
  );
}
