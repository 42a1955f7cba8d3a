import { make } from './dom';
import type { Photo, State } from './queue';
import { fill, type Texts } from './texts';

export interface RowActions {
  retry(): void;
  /** Takes the photo out of the list, and back from the server when it was sent. */
  remove(): void;
  insist(): void;
}

/** One photo in the list: picture, name, progress, what became of it and what can be done about it. */
export class Row {
  readonly element: HTMLLIElement;
  private readonly tile: HTMLDivElement;
  private readonly status = make('span', { className: 'state' });
  private readonly progress: HTMLProgressElement;
  private readonly retry: HTMLButtonElement;
  private readonly insist: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  private readonly texts: Texts;

  constructor(texts: Texts, name: string, actions: RowActions) {
    this.texts = texts;
    // Stays where the browser cannot show the photo itself.
    const kind = name.split('.').pop()?.slice(0, 4).toUpperCase() ?? '';
    this.tile = make('div', { className: 'tile', textContent: kind });
    this.tile.setAttribute('aria-hidden', 'true');
    this.progress = make('progress', { max: 1, value: 0 });
    this.progress.setAttribute('aria-label', fill(texts.progressNamed, { name }));
    const button = (className: string, text: string, named: string, onclick: () => void): HTMLButtonElement => {
      const made = make('button', { type: 'button', className, textContent: text, hidden: true, onclick });
      made.setAttribute('aria-label', fill(named, { name }));
      return made;
    };
    this.retry = button('retry', texts.retry, texts.retryNamed, actions.retry);
    this.insist = button('retry', texts.sendAnyway, texts.sendAnywayNamed, actions.insist);
    this.remove = button('remove', '×', texts.removeNamed, actions.remove);
    this.remove.title = texts.remove;
    const text = make(
      'div', { className: 'text' }, make('bdi', { className: 'name', textContent: name }), this.status, this.progress,
      this.retry, this.insist,
    );
    this.element = make('li', {}, this.tile, text, this.remove);
  }

  picture(shown: HTMLElement): void {
    this.tile.replaceChildren(shown);
  }

  /** @param mayWithdraw Whether what was sent can be taken back. */
  show(photo: Photo, mayWithdraw: boolean): void {
    const { state, progress, doing } = photo;
    // Nobody knows how far the server is.
    if (doing && state === 'sending') this.progress.removeAttribute('value');
    else this.progress.value = state === 'sent' ? 1 : progress;
    this.say(state, state === 'sending' && doing || this.words(state, progress));
    this.remove.hidden = state === 'sent' ? !mayWithdraw : state === 'sending';
  }

  refuse(words: string): void {
    this.say('refused', words);
    this.remove.hidden = false;
  }

  private words(state: State, progress: number): string {
    const texts = this.texts;
    switch (state) {
      case 'waiting': return texts.waiting;
      case 'sending': return progress < 1 ? `${texts.sending} ${Math.floor(progress * 100)} %` : texts.saving;
      case 'interrupted': return navigator.onLine ? texts.tryingAgain : texts.offline;
      case 'stalled': return texts.stalled;
      case 'busy': return texts.busy;
      case 'gaveUp': return texts.gaveUp;
      case 'sent': return texts.sent;
      case 'copy': return texts.copy;
      case 'refused': return this.status.textContent ?? '';
    }
  }

  private say(state: State, words: string): void {
    this.element.dataset['state'] = state;
    this.status.textContent = words;
    this.progress.hidden = ['sent', 'refused', 'gaveUp', 'copy'].includes(state);
    this.retry.hidden = !['gaveUp', 'interrupted', 'stalled'].includes(state);
    this.insist.hidden = state !== 'copy';
  }
}
