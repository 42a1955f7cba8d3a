import { linkUrl, qrUrl, thumbnailUrl, type Access, type AperturPhoto } from './session';
import { style } from './style';
import { fill, type Texts } from './texts';

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Partial<HTMLElementTagNameMap[K]> = {}, ...children: Node[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** What is seen. Made of elements alone: pages that require trusted types allow no markup. */
export class View {
  /** What a form points to when photos are missing. */
  readonly handle = make('summary');
  readonly #box = make('div', { className: 'box' });
  readonly #title = make('p', { className: 'title' });
  // A region that is read aloud when its text changes, so an unchanged one is left alone.
  readonly #status = make('p', { className: 'status' });
  readonly #problem = make('p', { className: 'problem', hidden: true });
  readonly #news = make('p', { className: 'unseen' });
  readonly #button = make('button', { type: 'button', hidden: true });
  readonly #qr = make('img', { className: 'qr', width: 192, height: 192 });
  readonly #link = make('a', { target: '_blank', rel: 'noopener noreferrer' });
  readonly #code = make('details', { hidden: true }, this.handle, this.#qr, make('p', {}, this.#link));
  readonly #list = make('ul', { hidden: true });
  readonly #rows = new Map<string, HTMLLIElement>();
  #texts: Texts;

  constructor(root: ShadowRoot, texts: Texts) {
    this.#texts = texts;
    style(root);
    this.#status.setAttribute('role', 'status');
    this.#problem.setAttribute('role', 'alert');
    this.#news.setAttribute('aria-live', 'polite');
    this.#qr.setAttribute('part', 'qr');
    this.#list.setAttribute('part', 'photos');
    this.#box.append(this.#title, this.#status, this.#problem, this.#button, this.#code, this.#list, this.#news);
    root.append(this.#box);
  }

  translate(language: string, texts: Texts): void {
    this.#texts = texts;
    this.#box.lang = language;
    this.#box.dir = language === 'ar' ? 'rtl' : 'ltr';
    this.#title.textContent = this.#list.ariaLabel = texts.title;
    this.handle.textContent = texts.code;
    this.#qr.alt = texts.qr;
    this.#link.textContent = texts.link;
  }

  /** Shows the way into a session. */
  offer(access: Access): void {
    this.#qr.src = qrUrl(access);
    this.#link.href = linkUrl(access);
  }

  clear(): void {
    this.code(false);
    this.unfold(false);
    this.say('');
    this.problem('');
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#list.hidden = true;
  }

  code(isThere: boolean): void {
    this.#code.hidden = !isThere;
  }

  unfold(isOpen: boolean): void {
    this.#code.open = isOpen;
  }

  say(words: string): void {
    if (this.#status.textContent !== words) this.#status.textContent = words;
  }

  /** Something that is wrong, and what can be done about it; an empty text for nothing. */
  problem(words: string, button = '', act: () => void = () => {}): void {
    if (this.#problem.textContent !== words) this.#problem.textContent = words;
    this.#problem.hidden = words === '';
    this.#button.hidden = button === '';
    this.#button.textContent = button;
    this.#button.onclick = act;
  }

  announce(photo: AperturPhoto): void {
    this.#news.textContent = fill(this.#texts.arrived, photo.filename);
  }

  photos(access: Access, photos: readonly AperturPhoto[]): void {
    const ids = new Set(photos.map(photo => photo.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const photo of photos) {
      if (this.#rows.has(photo.id)) continue;
      const row = this.#row(access, photo);
      this.#rows.set(photo.id, row);
      this.#list.append(row);
    }
    this.#list.hidden = photos.length === 0;
  }

  #row(access: Access, photo: AperturPhoto): HTMLLIElement {
    const kind = photo.mimeType.split('/').pop()?.toUpperCase() ?? '';
    const tile = make('div', { className: 'tile' });
    tile.setAttribute('aria-hidden', 'true');
    if (photo.hasThumbnail) {
      const picture = make('img', { alt: '', src: thumbnailUrl(access, photo), referrerPolicy: 'no-referrer' });
      picture.onerror = () => tile.replaceChildren(kind);
      tile.append(picture);
    } else {
      tile.textContent = kind;
    }
    const row = make('li', { title: photo.filename }, tile, make('bdi', { className: 'name', textContent: photo.filename }));
    row.dataset['id'] = photo.id;
    return row;
  }
}
