import { Trouble } from './provider';

export const encode = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

/** What nobody else can guess. */
export const random = (): string => encode(crypto.getRandomValues(new Uint8Array(32)));

/** Signs somebody in, in a window that comes back to this server. It may lose this one on its way, so it is heard by a name, not as a window. */
export function signIn(address: string, state: string): Promise<string> {
  // Before Safari 15.4.
  if (!('BroadcastChannel' in window)) return Promise.reject(new Trouble('unreachable'));
  const opened = window.open(address, '', 'popup,width=600,height=720');
  if (opened === null) return Promise.reject(new Trouble('blocked'));
  return new Promise((resolve, reject) => {
    const channel = new BroadcastChannel(`apertur:${state}`);
    channel.onmessage = event => {
      channel.close();
      const { code } = event.data as { code: string | null };
      if (code === null) reject(new Trouble('refused'));
      else resolve(code);
    };
  });
}
