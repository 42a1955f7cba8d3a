import { made, Trouble } from './provider';

/** https://developers.google.com/identity/oauth2/web/reference/js-reference */
interface TokenClient {
  requestAccessToken(): void;
}

interface Google {
  accounts: {
    oauth2: {
      initTokenClient(config: {
        client_id: string;
        scope: string;
        callback(response: { access_token?: string; error?: string; scope?: string }): void;
        error_callback(error: { type: 'popup_failed_to_open' | 'popup_closed' | 'unknown' }): void;
      }): TokenClient;
    };
  };
}

/** Asks whoever picks for an access token, in a window of Google's. To be called while a button is pressed. */
export function token(clientId: string, scope: string): Promise<string> {
  const { oauth2 } = made<Google>('google').accounts;
  return new Promise((resolve, reject) => oauth2.initTokenClient({
    client_id: clientId,
    scope,
    // Permission can be given for less than was asked.
    callback: ({ access_token: given, scope: allowed }) =>
      given !== undefined && (allowed ?? scope).split(' ').includes(scope) ? resolve(given) : reject(new Trouble('refused')),
    error_callback: ({ type }) => reject(new Trouble(type === 'popup_failed_to_open' ? 'blocked' : type === 'popup_closed' ? 'nothing' : 'refused')),
  }).requestAccessToken());
}
