import { token } from './google';
import { byId, loadScript, Trouble, type Prepare } from './provider';

/** https://developers.google.com/photos/picker/reference/rest/v1/sessions */
interface PickingSession {
  id: string;
  pickerUri: string;
  pollingConfig?: { pollInterval?: string; timeoutIn?: string };
  mediaItemsSet?: boolean;
}

interface PickedItems {
  mediaItems?: { type: string; mediaFile: { baseUrl: string; filename: string } }[];
  nextPageToken?: string;
}

const scope = 'https://www.googleapis.com/auth/photospicker.mediaitems.readonly';

/** Durations are written as `5s`. */
const milliseconds = (duration: string | undefined, otherwise: number): number => 1000 * (parseFloat(duration ?? '') || otherwise);

export const prepare: Prepare = async ({ ids, addresses, title, texts }) => {
  await loadScript(addresses['identity']!);
  return async () => {
    const given = await token(ids['clientId']!, scope);
    const call = async <T>(method: string, path: string): Promise<T> => {
      const answer = await fetch(`${addresses['api']!}${path}`, {
        method, headers: { Authorization: `Bearer ${given}`, ...(method === 'POST' ? { 'Content-Type': 'application/json' } : {}) },
        ...(method === 'POST' ? { body: '{}' } : {}),
      });
      if (!answer.ok) throw new Trouble(answer.status === 429 || answer.status >= 500 ? 'unreachable' : 'refused');
      return await answer.json() as T;
    };

    let session = await call<PickingSession>('POST', 'sessions');
    const path = `sessions/${encodeURIComponent(session.id)}`;
    let link: HTMLAnchorElement | null = null;
    try {
      // A link of its own: the press that asked for the token has been used up by the window in which it was given.
      link = Object.assign(document.createElement('a'), {
        href: `${session.pickerUri}/autoclose`, target: '_blank', rel: 'noopener', textContent: texts['pick.open'].replace('{source}', title),
      });
      byId('state').after(link);
      byId('open').hidden = true;
      link.focus();
      const until = Date.now() + milliseconds(session.pollingConfig?.timeoutIn, 1800);
      while (session.mediaItemsSet !== true) {
        if (Date.now() > until) throw new Trouble('nothing');
        await new Promise(resolve => window.setTimeout(resolve, milliseconds(session.pollingConfig?.pollInterval, 5)));
        try {
          session = await call<PickingSession>('GET', path);
        } catch (error) {
          // What passes, as a phone's line does behind another window, does not end what somebody is picking there.
          if (error instanceof Trouble && error.kind === 'refused') throw error;
        }
      }

      const picked: { url: string; name: string }[] = [];
      let page = '';
      do {
        const items = await call<PickedItems>('GET', `mediaItems?sessionId=${encodeURIComponent(session.id)}&pageSize=100${page}`);
        // As it was taken, with its metadata. A film is refused as one that is chosen on the phone.
        for (const { type, mediaFile } of items.mediaItems ?? []) picked.push({ url: `${mediaFile.baseUrl}=${type === 'VIDEO' ? 'dv' : 'd'}`, name: mediaFile.filename });
        page = items.nextPageToken ? `&pageToken=${encodeURIComponent(items.nextPageToken)}` : '';
      } while (page !== '');
      return { picked, token: given };
    } finally {
      link?.remove();
      byId('open').hidden = false;
      // They ask for that. What was picked stays for its hour.
      void call('DELETE', path).catch(() => null);
    }
  };
};
