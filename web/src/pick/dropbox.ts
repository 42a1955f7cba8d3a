import { endings, loadScript, made, Trouble, type Prepare } from './provider';

/** https://www.dropbox.com/developers/chooser */
interface Dropbox {
  choose(options: {
    success(files: { name: string; link: string }[]): void;
    cancel(): void;
    linkType: 'direct';
    multiselect: boolean;
    extensions: string[];
  }): void;
}

/** Direct links are good for four hours, and need nothing else. */
export const prepare: Prepare = async ({ ids, addresses }) => {
  // By this name the script finds itself, and its key.
  await loadScript(addresses['script']!, { id: 'dropboxjs', 'data-app-key': ids['appKey']! });
  const dropbox = made<Dropbox>('Dropbox');
  return () => new Promise((resolve, reject) => dropbox.choose({
    success: files => resolve({ picked: files.map(({ name, link }) => ({ url: link, name })) }),
    cancel: () => reject(new Trouble('nothing')),
    linkType: 'direct',
    multiselect: true,
    extensions: endings,
  }));
};
