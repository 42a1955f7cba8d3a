import { byId, make } from './dom';
import { passwordHeader, request } from './http';
import type { Photo, UploadQueue } from './queue';
import { fill, type Texts } from './texts';

const longest = 500;

/** What is typed is kept in the browser once the hands have rested for so long. */
const restMs = 400;

const againMs = 20_000;

/** A field for what is said of one photo, folded up until it is wanted. */
interface Field {
  element: HTMLDetailsElement;
  summary: HTMLElement;
  input: HTMLInputElement;
  problem: HTMLElement;
}

/** Captions of the photos in the list. One goes along with its photo when it was there before the photo set out, and on its own after that. */
export class Captions {
  private readonly fields = new Map<Photo, Field>();
  private readonly under = new Set<Promise<void>>();
  private readonly texts: Texts;
  private readonly queue: UploadQueue;
  private readonly api: string;
  private readonly visitor: string;

  constructor(texts: Texts, queue: UploadQueue, api: string, visitor: string) {
    this.texts = texts;
    this.queue = queue;
    this.api = api;
    this.visitor = visitor;
    window.addEventListener('online', () => this.saveAll());
  }

  /** @param may Whether something may be said of photos now; what was said stays readable. */
  show(photo: Photo, row: HTMLElement, may: boolean): void {
    const isOut = photo.state === 'refused' || photo.state === 'copy';
    let field = this.fields.get(photo);
    if (field === undefined && may && !isOut) {
      field = this.build(photo);
      this.fields.set(photo, field);
      row.querySelector('.text')!.append(field.element);
      // What an earlier page could not bring through.
      void this.save(photo);
    }
    if (field === undefined) return;
    field.input.disabled = !may;
    field.element.hidden = isOut || (!may && photo.caption === '');
  }

  private build(photo: Photo): Field {
    const summary = make('summary', { textContent: photo.caption || this.texts.captionAdd });
    summary.dir = 'auto';
    const input = make('input', { type: 'text', maxLength: longest, value: photo.caption, autocomplete: 'off', dir: 'auto' });
    input.setAttribute('aria-label', fill(this.texts.captionNamed, { name: photo.name }));
    const problem = make('p', { className: 'bad' });
    problem.setAttribute('role', 'alert');
    const element = make('details', { className: 'caption' }, summary, make('div', { className: 'field' }, input, problem));
    let rest = 0;
    element.addEventListener('toggle', () => {
      if (element.open) input.focus();
    });
    input.addEventListener('input', () => {
      photo.caption = input.value.trim();
      clearTimeout(rest);
      rest = window.setTimeout(() => void this.queue.keep(photo), restMs);
    });
    input.addEventListener('change', () => {
      summary.textContent = photo.caption || this.texts.captionAdd;
      void this.queue.keep(photo);
      void this.save(photo);
    });
    input.addEventListener('keydown', event => {
      if (event.key !== 'Enter') return;
      element.open = false;
      summary.focus();
    });
    return { element, summary, input, problem };
  }

  /** Brings through what is not with the server yet, and waits for that: Done ends what may be said. */
  async settle(): Promise<void> {
    for (const { input } of this.fields.values()) input.blur();
    this.saveAll();
    await Promise.all(this.under);
  }

  private saveAll(): void {
    for (const photo of this.queue.photos) void this.save(photo);
  }

  /** Tells the server of a caption that did not go along with its photo. */
  async save(photo: Photo): Promise<void> {
    const field = this.fields.get(photo);
    if (field === undefined || photo.received === null || photo.told === photo.caption || document.activeElement === field.input) return;
    const work = this.tell(photo, photo.received.id, field);
    this.under.add(work);
    await work;
    this.under.delete(work);
  }

  private async tell(photo: Photo, id: string, field: Field): Promise<void> {
    const { summary, input, problem } = field;
    const { caption } = photo;
    const answer = await request(
      'PATCH', `${this.api}/images/${id}?visitor=${this.visitor}`,
      { 'Content-Type': 'application/json', ...passwordHeader(this.queue.password) }, new Blob([JSON.stringify({ caption })]));
    if (typeof answer === 'string' || answer.status === 429 || answer.status >= 500) {
      problem.textContent = this.texts.offline;
      window.setTimeout(() => void this.save(photo), againMs);
      return;
    }
    problem.textContent = answer.status === 200 ? '' : this.texts.captionRefused;
    if (answer.status === 200) {
      photo.told = caption;
      byId('announcement').textContent = fill(this.texts.captionSaved, { name: photo.name });
    } else {
      photo.caption = input.value = photo.told ?? '';
      summary.textContent = photo.caption || this.texts.captionAdd;
    }
    await this.queue.keep(photo);
    if (photo.told !== photo.caption) await this.tell(photo, id, field);
  }
}
