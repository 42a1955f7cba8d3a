import { make } from './dom';
import type { Photo, State } from './queue';
import { fill, type Texts } from './texts';

/** One photo in the list: picture, name, progress and what became of it. */
export class Row {
  readonly element: HTMLLIElement;
  readonly #tile: HTMLDivElement;
  readonly #status = make('span', { className: 'state' });
  readonly #progress: HTMLProgressElement;
  readonly #retry: HTMLButtonElement;
  readonly #texts: Texts;

  constructor(texts: Texts, name: string, onRetry: () => void) {
    this.#texts = texts;
    // Stays where the browser cannot show the photo itself.
    const kind = name.split('.').pop()?.slice(0, 4).toUpperCase() ?? '';
    this.#tile = make('div', { className: 'tile', textContent: kind });
    this.#tile.setAttribute('aria-hidden', 'true');
    this.#progress = make('progress', { max: 1, value: 0 });
    this.#progress.setAttribute('aria-label', fill(texts.progressNamed, { name }));
    this.#retry = make('button', {
      type: 'button', className: 'retry', textContent: texts.retry, hidden: true, onclick: onRetry,
    });
    this.#retry.setAttribute('aria-label', fill(texts.retryNamed, { name }));
    const text = make(
      'div', { className: 'text' }, make('bdi', { className: 'name', textContent: name }), this.#status, this.#progress,
    );
    this.element = make('li', {}, this.#tile, text, this.#retry);
  }

  picture(canvas: HTMLCanvasElement): void {
    this.#tile.replaceChildren(canvas);
  }

  show(photo: Photo): void {
    const { state, progress } = photo;
    this.#progress.value = state === 'sent' ? 1 : progress;
    this.#say(state, this.#words(state, progress));
  }

  refuse(words: string): void {
    this.#say('refused', words);
  }

  #words(state: State, progress: number): string {
    const texts = this.#texts;
    switch (state) {
      case 'waiting': return texts.waiting;
      case 'sending': return progress < 1 ? `${texts.sending} ${Math.floor(progress * 100)} %` : texts.saving;
      case 'interrupted': return navigator.onLine ? texts.tryingAgain : texts.offline;
      case 'busy': return texts.busy;
      case 'gaveUp': return texts.gaveUp;
      case 'sent': return texts.sent;
      case 'refused': return this.#status.textContent ?? '';
    }
  }

  #say(state: State, words: string): void {
    this.element.dataset['state'] = state;
    this.#status.textContent = words;
    this.#progress.hidden = state === 'sent' || state === 'refused' || state === 'gaveUp';
    this.#retry.hidden = state !== 'gaveUp' && state !== 'interrupted';
  }
}
