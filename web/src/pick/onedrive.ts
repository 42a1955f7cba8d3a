import { byId, Trouble, type Prepare } from './provider';
import { encode, random, signIn } from './signin';

/** https://learn.microsoft.com/onedrive/developer/controls/file-pickers: what it says of each item for sure, and the name. */
interface Item {
  id: string;
  name?: string;
  parentReference: { driveId: string };
  '@sharePoint.endpoint': string;
}

type Command = { command: 'authenticate' | 'close' } | { command: 'pick'; items: Item[] };

interface PickerMessage {
  type: 'initialize' | 'notification' | 'command';
  channelId?: string;
  id?: string;
  data?: Command;
}

const scope = 'OneDrive.ReadOnly';

/** After that a frame that has said nothing was not let in. */
const comesWithinMs = 30_000;

export const prepare: Prepare = async ({ ids, addresses, return: returnPath }) => {
  const authority = addresses['authority']!;
  const redirect = location.origin + returnPath;

  /** One sign-in: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow */
  const begin = async (): Promise<() => Promise<string>> => {
    const verifier = random();
    const challenge = encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))));
    const state = random();
    const query = new URLSearchParams({
      client_id: ids['clientId']!, response_type: 'code', response_mode: 'fragment', redirect_uri: redirect, scope, state,
      code_challenge: challenge, code_challenge_method: 'S256', prompt: 'select_account',
    });
    return async () => {
      const code = await signIn(`${authority}authorize?${query}`, state);
      const answer = await fetch(`${authority}token`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: ids['clientId']!, grant_type: 'authorization_code', code, redirect_uri: redirect, scope, code_verifier: verifier }),
      });
      const given = answer.ok ? (await answer.json() as { access_token?: string }).access_token : undefined;
      if (given === undefined) throw new Trouble('refused');
      return given;
    };
  };

  let next = await begin();
  return async () => {
    const asking = next();
    next = await begin();
    const token = await asking;
    return { picked: await pick(addresses['picker']!, token), token };
  };
};

/** The picker itself, a page of the provider's in a frame that asks for what it needs. */
function pick(address: string, token: string): Promise<{ url: string; name: string }[]> {
  const channelId = random();
  const options = {
    sdk: '8.0',
    entry: { oneDrive: { files: {} } },
    authentication: {},
    messaging: { origin: location.origin, channelId },
    selection: { mode: 'multiple' },
    typesAndSources: { mode: 'files', filters: ['photo'], pivots: { oneDrive: true, recent: true } },
  };
  const frame = Object.assign(document.createElement('iframe'), { name: 'onedrive', title: 'OneDrive' });
  const place = byId('picker');
  place.replaceChildren(frame);
  place.hidden = false;
  document.documentElement.classList.add('picking');
  const form = Object.assign(document.createElement('form'), {
    method: 'post', target: frame.name, action: `${address}?${new URLSearchParams({ filePicker: JSON.stringify(options), locale: document.documentElement.lang })}`,
  });
  form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: 'access_token', value: token }));

  let timer = 0;
  const done = new Promise<{ url: string; name: string }[]>((resolve, reject) => {
    timer = window.setTimeout(() => reject(new Trouble('unreachable')), comesWithinMs);
    const obey = (port: MessagePort, { type, id, data }: PickerMessage): void => {
      if (type !== 'command' || data === undefined) return;
      port.postMessage({ type: 'acknowledge', id });
      const answer = (result: object): void => port.postMessage({ type: 'result', id, data: result });
      switch (data.command) {
        case 'authenticate':
          answer({ result: 'token', token });
          break;
        case 'close':
          reject(new Trouble('nothing'));
          break;
        case 'pick':
          answer({ result: 'success' });
          resolve(data.items.map(item => ({
            url: `${item['@sharePoint.endpoint']}/drives/${item.parentReference.driveId}/items/${item.id}/content`, name: item.name ?? 'photo',
          })));
          break;
        default:
          answer({ result: 'error', error: { code: 'unsupportedCommand', message: (data as { command: string }).command } });
      }
    };
    window.addEventListener('message', event => {
      const message = event.data as PickerMessage;
      const port = event.ports[0];
      if (event.source !== frame.contentWindow || message.type !== 'initialize' || message.channelId !== channelId || port === undefined) return;
      clearTimeout(timer);
      port.onmessage = ({ data }) => obey(port, data as PickerMessage);
      port.start();
      port.postMessage({ type: 'activate' });
    });
  });
  document.body.append(form);
  form.submit();
  form.remove();
  frame.focus();
  return done.finally(() => {
    clearTimeout(timer);
    place.replaceChildren();
  });
}
