import './page.css';
import type { Refusal } from './attempt';
import { byId } from './dom';
import { tellParent } from './frame';
import { limitsLine, refusalBeforeSending, type Limits } from './limits';
import { limitsBehind, verify } from './password';
import { complete } from './complete';
import { UploadQueue, type Photo } from './queue';
import { Row } from './row';
import { canSeal, sealTo } from './seal';
import { fill, plural, refusalText, type Texts } from './texts';
import { thumbnail } from './thumbnail';

/** The server writes the time of expiry in UTC: it does not know where the reader is. */
function showLocalExpiry(): void {
  const line = document.getElementById('until');
  const { text, instant } = line?.dataset ?? {};
  if (!line || !text || !instant) return;
  const { lang } = document.documentElement;
  const locale = navigator.languages.find(wish => wish.startsWith(lang)) ?? lang;
  const format = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short' });
  line.textContent = fill(text, { date: format.format(new Date(instant)) });
}

/** Stands in the page as JSON. `limits` is null while the password is unknown. */
interface PageData {
  sessionId: string;
  limits: Limits | null;
  /** PEM of the key that photos must be encrypted to; null when they are sent as they are. */
  sealingKey: string | null;
  texts: Texts;
}

const sessionOver = ['SESSION_EXPIRED', 'SESSION_COMPLETED', 'SESSION_FULL', 'NOT_FOUND'];

function start(data: PageData): void {
  const { texts } = data;
  if (data.sealingKey !== null && !canSeal()) {
    // Nothing else of this script runs, so nothing can be sent in the clear.
    byId('upload').hidden = true;
    byId('summary').textContent = texts.sealingNeedsHttps;
    tellParent({ type: 'apertur:error', data: { message: texts.sealingNeedsHttps } });
    return;
  }
  const api = `/api/v1/upload/${encodeURIComponent(data.sessionId)}`;
  let { limits } = data;
  let told = false;
  /** Photos that were not sent have been spoken of, so another press on Done means without them. */
  let warned = false;
  const rows = new Map<Photo, Row>();

  const form = byId<HTMLFormElement>('upload');
  const gallery = byId<HTMLInputElement>('gallery');
  const camera = byId<HTMLInputElement>('camera');
  const list = byId('photos');
  const summary = byId('summary');
  const done = byId<HTMLButtonElement>('done');
  const thanks = byId('thanks');
  const password = document.getElementById('password') as HTMLInputElement | null;

  const queue = new UploadQueue(`${api}/images`, data.sealingKey === null ? null : sealTo(data.sealingKey), {
    changed(photo) {
      rows.get(photo)?.show(photo);
      if (photo.state !== 'sending') showSummary();
    },
    received(_, received) {
      tellParent({ type: 'apertur:image:received', data: received });
      if (limits === null) return;
      const left = limits.left - queue.count('sent');
      if (left > 0) {
        byId('limits').textContent = limitsLine(texts, { ...limits, left });
        return;
      }
      form.hidden = true;
      tellComplete();
    },
    refused(photo, refusal) {
      refuse(photo, refusalText(texts, refusal.code, refusal.message));
      if (sessionOver.includes(refusal.code)) end(refusal);
    },
    passwordNeeded(refusal) {
      // A page that was opened before there was a password has no field for it.
      if (password === null) end(refusal);
      else askPassword(texts.passwordWrong);
    },
  });

  function refuse(photo: Photo, words: string): void {
    photo.state = 'refused';
    rows.get(photo)?.refuse(words);
    byId('announcement').textContent = `${photo.file.name}: ${words}`;
    tellParent({ type: 'apertur:error', data: { message: words } });
    showSummary();
  }

  function end(refusal: Refusal): void {
    form.hidden = true;
    queue.close(refusal);
  }

  async function add(files: Iterable<File>, source: Photo['source']): Promise<void> {
    if (limits === null) return;
    for (const file of files) {
      const photo = queue.add({ file, source });
      const row = new Row(texts, file.name, () => queue.retry(photo));
      rows.set(photo, row);
      list.append(row.element);
      row.show(photo);
      const refusal = queue.taken > limits.left ? texts.tooMany : refusalBeforeSending(texts, limits, file);
      if (refusal !== null) refuse(photo, refusal);
      void picture(photo, row, limits);
    }
    showSummary();
    list.lastElementChild?.scrollIntoView({ block: 'nearest' });
    if (limits.maxSide === null) queue.run();
  }

  /** With a limit in pixels a photo is sent after it was measured; without one it need not wait for that. */
  async function picture(photo: Photo, row: Row, known: Limits): Promise<void> {
    const made = await thumbnail(photo.file);
    if (made !== null) row.picture(made.canvas);
    if (known.maxSide === null || photo.state !== 'waiting') return;
    if (made !== null && made.longSide > known.maxSide) refuse(photo, fill(texts.tooManyPixels, { n: known.maxSide }));
    else queue.run();
  }

  function showSummary(): void {
    const sent = queue.count('sent');
    const refused = queue.count('refused');
    const parts = [fill(plural(texts.sentOne, texts.sentOther, queue.taken), { n: sent, m: queue.taken })];
    if (refused > 0) parts.push(fill(plural(texts.refusedOne, texts.refusedOther, refused), { n: refused }));
    const words = rows.size === 0 ? '' : parts.join(' · ');
    // A live region is read aloud at every write, so an unchanged text is left alone.
    if (summary.textContent !== words) summary.textContent = words;
    list.hidden = rows.size === 0;
    done.hidden = sent === 0 || queue.unfinished;
    warned = false;
  }

  function tellComplete(): void {
    if (told) return;
    told = true;
    tellParent({ type: 'apertur:session:complete', data: { sessionId: data.sessionId } });
  }

  function askPassword(words: string): void {
    if (password === null) return;
    byId('protected').hidden = false;
    byId('pick').hidden = true;
    byId('password-error').textContent = words;
    password.focus();
    password.select();
  }

  async function unlock(given: string): Promise<void> {
    const answer = await verify(api, given);
    if (answer !== 'right') {
      askPassword({ wrong: texts.passwordWrong, tooMany: texts.passwordTooMany, failed: texts.gaveUp }[answer]);
      return;
    }
    try {
      limits = await limitsBehind(api, given);
    } catch {
      askPassword(texts.gaveUp);
      return;
    }
    byId('protected').hidden = true;
    showPicker(limits);
    queue.resume(given);
    (camera.offsetParent === null ? gallery : camera).focus();
  }

  function showPicker(known: Limits): void {
    byId('limits').textContent = known.left === 0 ? texts.tooMany : limitsLine(texts, known);
    byId('pick').hidden = false;
    form.hidden = known.left === 0;
  }

  gallery.disabled = byId<HTMLButtonElement>('send').disabled = false;
  document.documentElement.classList.add('enhanced');
  // Taking a photo is for devices that are held in the hand; elsewhere this button would open the same file dialog.
  byId('take').hidden = !matchMedia('(any-pointer: coarse)').matches;
  gallery.required = false;
  byId('send').textContent = texts.continue;
  if (limits === null) {
    byId('pick').hidden = true;
  } else {
    showPicker(limits);
  }

  for (const [input, source] of [[gallery, 'gallery'], [camera, 'camera']] as const) {
    const take = (): void => {
      const files = Array.from(input.files ?? []);
      // Emptied so that the same photo can be picked again.
      input.value = '';
      if (files.length > 0) void add(files, source);
    };
    input.addEventListener('change', take);
    // Somebody quicker than this script may have picked photos already.
    if (limits !== null) take();
  }

  form.addEventListener('submit', event => {
    event.preventDefault();
    if (password !== null && !byId('protected').hidden) void unlock(password.value);
  });

  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  document.addEventListener('dragover', event => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    document.documentElement.classList.toggle('dropping', limits !== null && !form.hidden);
  });
  document.addEventListener('dragleave', event => {
    if (event.relatedTarget === null) document.documentElement.classList.remove('dropping');
  });
  document.addEventListener('drop', event => {
    document.documentElement.classList.remove('dropping');
    if (!carriesFiles(event)) return;
    event.preventDefault();
    if (!form.hidden) void add(Array.from(event.dataTransfer?.files ?? []), 'gallery');
  });

  window.addEventListener('beforeunload', event => {
    if (!queue.unfinished && queue.count('gaveUp') === 0) return;
    event.preventDefault();
    // What browsers before 2023 go by.
    event.returnValue = true;
  });

  async function finish(): Promise<void> {
    const left = queue.count('gaveUp');
    // In words on the page: where it is framed, browsers show no dialog.
    if (left > 0 && !warned) {
      warned = true;
      summary.textContent = fill(plural(texts.withoutOne, texts.withoutOther, left), { n: left });
      return;
    }
    done.disabled = true;
    const outcome = await complete(api, queue.password);
    done.disabled = false;
    if (outcome === 'failed') {
      summary.textContent = texts.doneFailed;
      return;
    }
    if (outcome === 'passwordNeeded') {
      askPassword(texts.passwordWrong);
      return;
    }
    const sent = queue.count('sent');
    byId('thanks-text').textContent = fill(plural(texts.thanksOne, texts.thanksOther, sent), { n: sent });
    document.documentElement.classList.add('finished');
    thanks.hidden = false;
    byId('thanks-title').focus();
    tellComplete();
  }

  done.addEventListener('click', () => void finish());
}

showLocalExpiry();
const json = document.getElementById('page-data')?.textContent;
if (json) start(JSON.parse(json) as PageData);
