import { byId, loadScript, made, Trouble, type Prepare } from './provider';
import { random, signIn } from './signin';

/** https://developer.box.com/guides/embed/ui-elements/picker */
interface Box {
  FilePicker: new () => {
    addListener(name: 'choose', listener: (items: { id: string; type: string; name: string }[]) => void): void;
    addListener(name: 'cancel', listener: () => void): void;
    show(folder: string, token: string, options: Record<string, unknown>): void;
    hide(): void;
  };
}

/** What it has been translated to, of the languages of these pages; there is no Arabic and no Hindi. */
const locales: Record<string, string> = {
  fr: 'fr-FR', es: 'es-ES', de: 'de-DE', pt: 'pt-BR', it: 'it-IT', nl: 'nl-NL', pl: 'pl-PL', zh: 'zh-CN', ja: 'ja-JP',
};

export const prepare: Prepare = async ({ ids, addresses, return: returnPath }) => {
  const elements = `${addresses['elements']!}${locales[document.documentElement.lang] ?? 'en-US'}/picker`;
  document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: `${elements}.css` }));
  await loadScript(`${elements}.js`);
  const { FilePicker } = made<Box>('Box');
  return async () => {
    const state = random();
    const query = new URLSearchParams({ client_id: ids['clientId']!, response_type: 'code', redirect_uri: location.origin + returnPath, state });
    const code = await signIn(`${addresses['authorize']!}?${query}`, state);
    // Box gives tokens to servers only.
    const answer = await fetch(location.pathname, { method: 'POST', headers: { Accept: 'application/json' }, body: new URLSearchParams({ code }) });
    if (!answer.ok) throw new Trouble('refused');
    const token = await answer.text();

    byId('picker').hidden = false;
    document.documentElement.classList.add('picking');
    const picker = new FilePicker();
    return new Promise<{ picked: { url: string; name: string }[]; token: string }>((resolve, reject) => {
      picker.addListener('choose', items => resolve({
        picked: items.filter(({ type }) => type === 'file').map(({ id, name }) => ({ url: `${addresses['files']!}${encodeURIComponent(id)}/content`, name })), token,
      }));
      picker.addListener('cancel', () => reject(new Trouble('nothing')));
      picker.show('0', token, {
        container: '#picker', logoUrl: 'box', extensions: ['jpg', 'jpeg', 'png', 'webp', 'heic', 'heif'], canUpload: false, canSetShareAccess: false, canCreateNewFolder: false,
      });
    }).finally(() => picker.hide());
  };
};
