import './page.css';
import { byId, Trouble, type PageData, type Picked, type Prepare } from './provider';

const preparations: Record<string, () => Promise<{ prepare: Prepare }>> = {
  dropbox: () => import('./dropbox'),
  google_drive: () => import('./drive'),
  google_photos: () => import('./photos'),
  onedrive: () => import('./onedrive'),
  box: () => import('./box'),
};

/** The upload page answers in no time, where it is still there. */
const answerMs = 5000;

async function start(data: PageData): Promise<void> {
  const opener = window.opener as Window | null;
  const state = byId('state');
  const problem = byId('problem');
  const open = byId<HTMLButtonElement>('open');
  const back = byId<HTMLButtonElement>('back');
  const text = (key: keyof PageData['texts']): string => data.texts[key].replace('{source}', data.title);

  const say = (element: HTMLElement, words: string): void => {
    state.textContent = problem.textContent = '';
    element.textContent = words;
  };
  const trouble = (kind: string): void => {
    document.documentElement.classList.remove('picking');
    say(problem, text(`pick.${kind}` as keyof PageData['texts']));
    open.hidden = kind === 'gone';
  };

  /** Gives the upload page what was picked, and says so when it is no longer there. */
  function hand(picked: Picked): void {
    const timer = window.setTimeout(() => trouble('gone'), answerMs);
    window.addEventListener('message', event => {
      if (event.origin !== location.origin || event.source !== opener || event.data !== 'taken') return;
      clearTimeout(timer);
      window.close();
    });
    // To this server's own page and no other, should the window have gone on.
    opener?.postMessage(picked, location.origin);
  }

  open.textContent = text('pick.open');
  back.textContent = text('pick.back');
  back.onclick = () => window.close();
  back.hidden = false;
  if (opener === null || opener.closed) {
    trouble('gone');
    return;
  }

  say(state, text('pick.loading'));
  try {
    const pick = await (await preparations[data.source]!()).prepare(data);
    let presses = 0;
    open.onclick = () => {
      // It can be pressed again: that somebody has closed a window of the provider, nobody tells for sure. Then only the last press counts.
      const press = ++presses;
      say(state, text('pick.waiting'));
      pick().then(picked => {
        if (picked.picked.length === 0) throw new Trouble('nothing');
        if (press === presses) hand(picked);
      }).catch((error: unknown) => {
        if (press === presses) trouble(error instanceof Trouble ? error.kind : 'unreachable');
      });
    };
    open.hidden = false;
    say(state, '');
    open.focus();
  } catch {
    // Nothing of it is there: what helps is the whole again.
    open.onclick = () => location.reload();
    trouble('unreachable');
  }
}

/** Somebody comes back from having signed in: the window that waits for it hears of it under the name that it gave along. */
function comeBack(): void {
  const given = new URLSearchParams(location.hash.slice(1) || location.search);
  const state = given.get('state');
  if (state === null) return;
  const channel = new BroadcastChannel(`apertur:${state}`);
  channel.postMessage({ code: given.get('code') });
  // Closing throws away what has not gone out yet in some browsers.
  window.setTimeout(() => window.close(), 100);
}

const json = document.getElementById('page-data')?.textContent;
if (json) void start(JSON.parse(json) as PageData);
else comeBack();
