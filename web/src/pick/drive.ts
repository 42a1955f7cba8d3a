import { token } from './google';
import { loadScript, made, Trouble, type Prepare } from './provider';

/** https://developers.google.com/workspace/drive/picker/reference */
interface Picker {
  picker: {
    Action: { PICKED: string; CANCEL: string; ERROR?: string };
    Feature: { MULTISELECT_ENABLED: string };
    ViewId: { DOCS_IMAGES: string };
    PickerBuilder: new () => Builder;
  };
}

interface Builder {
  addView(view: string): Builder;
  enableFeature(feature: string): Builder;
  setAppId(id: string): Builder;
  setDeveloperKey(key: string): Builder;
  setOAuthToken(token: string): Builder;
  setLocale(language: string): Builder;
  setCallback(callback: (answer: { action: string; docs?: { id: string; name: string }[] }) => void): Builder;
  build(): { setVisible(visible: boolean): void };
}

interface Gapi {
  load(names: string, config: { callback(): void; onerror(): void; timeout: number; ontimeout(): void }): void;
}

/** Only files that were picked can be read with it. */
const scope = 'https://www.googleapis.com/auth/drive.file';

export const prepare: Prepare = async ({ ids, addresses }) => {
  await Promise.all([loadScript(addresses['identity']!), loadScript(addresses['api']!)]);
  const gapi = made<Gapi>('gapi');
  await new Promise<void>((resolve, reject) => {
    const fail = (): void => reject(new Trouble('unreachable'));
    gapi.load('picker', { callback: resolve, onerror: fail, timeout: 20_000, ontimeout: fail });
  });
  const { picker } = made<Picker>('google');
  return async () => {
    const given = await token(ids['clientId']!, scope);
    return new Promise((resolve, reject) => new picker.PickerBuilder()
      .addView(picker.ViewId.DOCS_IMAGES)
      .enableFeature(picker.Feature.MULTISELECT_ENABLED)
      .setAppId(ids['appId']!)
      .setDeveloperKey(ids['apiKey']!)
      .setOAuthToken(given)
      .setLocale(document.documentElement.lang)
      .setCallback(({ action, docs = [] }) => {
        if (action === picker.Action.CANCEL) reject(new Trouble('nothing'));
        else if (action === picker.Action.ERROR) reject(new Trouble('refused'));
        // It also tells when it has loaded.
        else if (action === picker.Action.PICKED) {
          resolve({
            picked: docs.map(({ id, name }) => ({ url: `${addresses['files']!}${encodeURIComponent(id)}?alt=media&supportsAllDrives=true`, name })),
            token: given,
          });
        }
      })
      .build().setVisible(true));
  };
};
