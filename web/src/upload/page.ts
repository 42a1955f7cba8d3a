import './page.css';
import type { Asked, Refusal } from './attempt';
import { complete, withdraw } from './complete';
import { byId } from './dom';
import type { Told } from './frame';
import { limitsLine, refusalBeforeSending, typeNames, type Limits } from './limits';
import { verify } from './password';
import { UploadQueue, type Photo } from './queue';
import { Row } from './row';
import { ask as askServer, follow, type Session } from './session';
import { newId, Store, visitorOf } from './store';
import { fill, plural, type Texts } from './texts';
import { shown, thumbnail, toBlob } from './thumbnail';
import { keepAwake } from './wake';

/** Stands in the page as JSON. `limits` is null while the password is unknown. */
interface PageData {
  sessionId: string;
  limits: Limits | null;
  mayWithdraw: boolean;
  allowCaptions: boolean;
  thankYou: string | null;
  cameraOnly: boolean;
  ask: Asked[];
  /** Unix milliseconds by the server's clock: until when the session lives, and what time it is. */
  expires: number;
  now: number;
  /** PEM of the key that photos must be encrypted to; null when they are sent as they are. */
  sealingKey: string | null;
  texts: Texts;
}

const sessionOver = ['SESSION_EXPIRED', 'SESSION_COMPLETED', 'SESSION_FULL', 'NOT_FOUND'];

const frame = window.parent === window ? null : import('./frame');

/** Tells the page that frames this one, if any. */
function tellParent(...told: Told): void {
  void frame?.then(({ tell }) => tell(...told));
}

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

async function start(data: PageData): Promise<void> {
  const { texts } = data;
  const named = /[#&]key=([0-9a-f]{64})/i.exec(location.hash)?.[1]?.toLowerCase();
  const seal = data.sealingKey === null && named === undefined ? null : await (await import('./seal')).sealing(texts, data.sealingKey, named);
  if (typeof seal === 'string') {
    // Nothing else of this script runs, so nothing can be sent in the clear.
    byId('upload').hidden = true;
    byId('summary').textContent = seal;
    tellParent('error', seal, 'error.SEALING_FAILED');
    return;
  }

  const began = performance.now();
  const api = `/api/v1/upload/${encodeURIComponent(data.sessionId)}`;
  const visitor = visitorOf(data.sessionId);
  const store = await Store.open(data.sessionId);
  const passwordKept = `apertur:password:${data.sessionId}`;
  let { limits, mayWithdraw, allowCaptions, thankYou, expires, ask } = data;
  /** Whether what the session asks for has been given, or left out where it may be. */
  let answered = false;
  /** What was asked for last, as JSON. */
  let asked = '';
  let questions: typeof import('./asked') | null = null;
  let captions: import('./captions').Captions | null = null;
  /** Of the photos in the list, those that an earlier page sent. */
  let sentBefore = 0;
  let told = false;
  let expiryTimer = 0;
  /** Done was pressed while photos were on their way: it follows when they have arrived. */
  let finishing = false;
  /** Photos that were not sent have been spoken of, so another press on Done means without them. */
  let warned = false;
  const rows = new Map<Photo, Row>();

  const page = document.documentElement;
  const form = byId<HTMLFormElement>('upload');
  const gallery = byId<HTMLInputElement>('gallery');
  const camera = byId<HTMLInputElement>('camera');
  const list = byId('photos');
  const summary = byId('summary');
  const notice = byId('notice');
  const done = byId<HTMLButtonElement>('done');
  const more = byId<HTMLButtonElement>('more');
  const thanks = byId('thanks');
  const password = document.getElementById('password') as HTMLInputElement | null;

  const about = { session: data.sessionId, expires: data.expires };
  const queue = new UploadQueue(api, seal, store, about, {
    changed(photo) {
      draw(photo);
      if (photo.state === 'sending') tellParent('progress', photo);
      else showSummary();
    },
    received(photo, received) {
      tellParent('image:received', received);
      void captions?.save(photo);
      // Others send too: what is left now, the server knows.
      refresh();
    },
    refused(photo, refusal) {
      refuse(photo, `error.${refusal.code}` as keyof Texts, refusal);
      if (sessionOver.includes(refusal.code)) end(refusal);
    },
    passwordNeeded(refusal) {
      // A page that was opened before there was a password has no field for it.
      if (password === null) end(refusal);
      else askPassword(texts.passwordWrong);
    },
    answersNeeded(refusal) {
      // The session asks for more than this page knows of, or is stricter.
      summary.textContent = refusal.message;
      settle(false);
      refresh();
    },
  });

  /** Own words for a refusal known by its key, else the server's message. */
  function refuse(photo: Photo, key: keyof Texts, values: { message?: string; n?: number; types?: string }): void {
    const words = fill(texts[key] ?? '{message}', values);
    photo.state = 'refused';
    rows.get(photo)?.refuse(words);
    byId('announcement').textContent = `${photo.name}: ${words}`;
    tellParent('error', words, key, photo);
    showSummary();
  }

  function end(refusal: Refusal): void {
    form.hidden = true;
    queue.close(refusal);
  }

  function show(photo: Photo): Row {
    const row = new Row(texts, photo.name, {
      retry: () => queue.retry(photo),
      insist: () => void queue.insist(photo),
      remove: () => void remove(photo),
    });
    rows.set(photo, row);
    list.append(row.element);
    draw(photo);
    return row;
  }

  function draw(photo: Photo): void {
    const row = rows.get(photo);
    row?.show(photo, mayWithdraw);
    if (row) captions?.show(photo, row.element, allowCaptions);
  }

  /** Lets something be said of each photo, where the session takes that. */
  async function describe(): Promise<void> {
    if (!allowCaptions || captions !== null) return;
    const { Captions } = await import('./captions');
    captions ??= new Captions(texts, queue, api, visitor);
    for (const photo of rows.keys()) draw(photo);
  }

  async function add(files: Iterable<File>, source: Photo['source'], address: string | null = null): Promise<void> {
    if (limits === null) return;
    if (page.classList.contains('finished')) more.click();
    for (const file of files) {
      const photo = queue.add({ file, name: file.name, source, address, visitor, key: newId() });
      const row = show(photo);
      const waiting = queue.taken - queue.count('sent');
      const refusal = waiting > limits.left ? 'tooMany' : address ? null : refusalBeforeSending(limits, file);
      if (refusal) refuse(photo, refusal, { n: limits.maxMegabytes, types: typeNames(limits) });
      void prepare(photo, row, limits);
    }
    showSummary();
    list.lastElementChild?.scrollIntoView({ block: 'nearest' });
  }

  /** With a limit in pixels a photo is sent after it was measured; without one it need not wait for that. */
  async function prepare(photo: Photo, row: Row, known: Limits): Promise<void> {
    const made = thumbnail(photo.file);
    if (photo.state === 'waiting') {
      await queue.prepare(photo);
      const measured = known.maxSide === null ? null : await made;
      if (measured !== null && known.maxSide !== null && measured.longSide > known.maxSide) {
        refuse(photo, 'tooManyPixels', { n: known.maxSide });
        void store.remove(photo.key);
      } else {
        queue.ready(photo);
      }
    }
    const drawn = await made;
    if (drawn === null) return;
    row.picture(drawn.canvas);
    photo.picture = await toBlob(drawn.canvas);
    if (rows.has(photo) && photo.state !== 'refused' && photo.state !== 'copy') void queue.keep(photo);
  }

  /** Shows what an earlier page left, and goes on with what it had not sent. */
  async function restore(): Promise<void> {
    for (const kept of await store.all()) {
      const photo = queue.restore(kept);
      const row = show(photo);
      if (photo.state === 'sent') sentBefore++;
      if (kept.picture !== null) row.picture(shown(kept.picture));
      else if (photo.state !== 'sent') void thumbnail(photo.file).then(made => made && row.picture(made.canvas));
    }
    showSummary();
  }

  async function remove(photo: Photo): Promise<void> {
    if (photo.received !== null && !await withdraw(api, photo.received.id, visitor, queue.password)) {
      summary.textContent = texts.withdrawFailed;
      return;
    }
    const row = rows.get(photo)?.element;
    // Pressed twice: the first press has taken it out meanwhile.
    if (!row) return;
    const { received, url } = photo;
    if (received === null && url !== null) void import('./pieces').then(({ giveUp }) => giveUp(url, queue.password));
    const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector<HTMLElement>('.remove:not([hidden])');
    row.remove();
    rows.delete(photo);
    await queue.remove(photo);
    byId('announcement').textContent = fill(texts.removed, { name: photo.name });
    (next ?? input()).focus();
    showSummary();
    refresh();
  }

  function showSummary(): void {
    const sent = queue.count('sent');
    const refused = queue.count('refused');
    const parts = [sent === queue.taken && sent === sentBefore && sent > 0
      ? fill(plural(texts.sentHereOne, texts.sentHereOther, sent), { n: sent })
      : fill(plural(texts.sentOne, texts.sentOther, queue.taken), { n: sent, m: queue.taken })];
    if (refused > 0) parts.push(fill(plural(texts.refusedOne, texts.refusedOther, refused), { n: refused }));
    const words = rows.size === 0 ? '' : finishing ? texts.doneWaits : parts.join(' · ');
    // A live region is read aloud at every write, so an unchanged text is left alone.
    if (summary.textContent !== words) summary.textContent = words;
    list.hidden = rows.size === 0;
    page.classList.toggle('filled', rows.size > 0);
    warned = false;
    keepAwake(queue.isBusy);
    if (finishing && !queue.unfinished) void finish();
  }

  /** What the session takes now, in words; the picker offers no more than that. */
  function showLimits(): void {
    if (limits === null) return;
    byId('limits').textContent = limits.left === 0 ? '' : limitsLine(texts, limits);
    form.hidden = limits.left === 0 && !page.classList.contains('locked');
    gallery.multiple = limits.left > 1;
    if (limits.left > 0) return;
    say(texts.fullText);
    if (!queue.unfinished && queue.count('sent') > 0) tellComplete();
  }

  /** Where the next photo comes from. */
  const input = (): HTMLElement => (camera.offsetParent === null ? gallery : camera);

  function say(words: string): void {
    if (notice.textContent !== words) notice.textContent = words;
    notice.hidden = words === '';
  }

  /** Takes in how the session stands now: its limits, its end, or that it goes on after all. */
  function take(session: Session): void {
    ({ limits, mayWithdraw, allowCaptions, thankYou, expires } = session);
    void describe().catch(() => null);
    void inquire(session.ask);
    void instruct(session.instructions ?? '');
    byId('strip').textContent = texts[`strip.${session.strip}`];
    byId<HTMLAnchorElement>('return').href = session.returnUrl ?? '';
    const isFull = session.status === 'completed' && limits.left === 0;
    const isOver = session.status === 'expired' || (session.status === 'completed' && !isFull);
    if (session.label) byId('title').textContent = session.label;
    const until = document.getElementById('until');
    if (until) until.dataset['instant'] = new Date(expires).toISOString();
    showLocalExpiry();
    say(!isOver ? '' : session.status === 'expired' ? texts['error.SESSION_EXPIRED'] : texts['error.SESSION_COMPLETED']);
    showLimits();
    if (isOver) {
      byId('limits').textContent = '';
      page.classList.add('over');
      end({
        kind: 'refused', status: 0, message: '', code: session.status === 'expired' ? 'SESSION_EXPIRED' : 'SESSION_COMPLETED',
      });
      mayWithdraw &&= session.status !== 'completed';
      allowCaptions = false;
    } else {
      page.classList.remove('over');
    }
    for (const photo of rows.keys()) draw(photo);
    watchExpiry();
  }

  /** Shows instructions that stood behind a password, or are new. */
  async function instruct(text: string): Promise<void> {
    const place = byId('instructions');
    if (place.dataset['text'] === text) return;
    place.dataset['text'] = text;
    if (text === '') place.replaceChildren();
    else place.replaceChildren(...(await import('./instructions')).render(text));
  }

  let asking = 0;

  /** Looks at the session again, once for news that come together. */
  function refresh(): void {
    clearTimeout(asking);
    asking = window.setTimeout(() => {
      const last = asking;
      void askServer(api, queue.password).then(session => {
        // A late answer is of how it was.
        if (session !== null && last === asking && !page.classList.contains('finished')) take(session);
      });
    }, 250);
  }

  function watchExpiry(): void {
    const serverNow = data.now + performance.now() - began;
    clearTimeout(expiryTimer);
    // Browsers wait for 24 days at most.
    if (expires > serverNow) expiryTimer = window.setTimeout(refresh, Math.min(expires - serverNow + 500, 2 ** 31 - 1));
  }

  function tellComplete(): void {
    if (told) return;
    told = true;
    tellParent('session:complete');
  }

  function askPassword(words: string): void {
    if (password === null) return;
    page.classList.add('locked');
    form.hidden = false;
    byId('protected').hidden = false;
    byId('pick').hidden = done.hidden = true;
    byId('password-error').textContent = words;
    password.focus();
    password.select();
  }

  async function unlock(given: string): Promise<void> {
    const verdict = await verify(api, given);
    const session = verdict === 'right' ? await askServer(api, given) : null;
    if (session === null) {
      if (typeof verdict === 'number') wait(verdict);
      else askPassword(verdict === 'wrong' ? texts.passwordWrong : texts.gaveUp);
      return;
    }
    try {
      sessionStorage.setItem(passwordKept, given);
    } catch {
      // It is asked for again after a reload.
    }
    page.classList.remove('locked');
    byId('protected').hidden = true;
    ask = session.ask;
    open(given);
    take(session);
    if (!byId('pick').hidden) input().focus();
  }

  /** Counts down until another password may be tried. */
  function wait(seconds: number): void {
    const button = byId<HTMLButtonElement>('send');
    askPassword(fill(plural(texts.passwordWaitOne, texts.passwordWaitOther, seconds), { n: seconds }));
    button.disabled = seconds > 0;
    if (seconds > 0) window.setTimeout(() => wait(seconds - 1), 1000);
    else askPassword('');
  }

  /** From here on photos can be picked, and those that wait are sent, once what is asked for is there. */
  function open(given: string | null): void {
    queue.password = given;
    void follow(api, visitor, given, refresh);
    asked = '';
    void inquire(ask);
  }

  /** Asks for what the session wants to know now, as far as it has not been given. */
  async function inquire(now: Asked[]): Promise<void> {
    if (page.classList.contains('locked') || asked === JSON.stringify(now)) return;
    ask = now;
    asked = JSON.stringify(now);
    byId('asked').hidden = ask.length === 0;
    if (ask.length === 0) {
      queue.answers = {};
      settle(true);
      return;
    }
    const kept = await store.answers();
    questions ??= await import('./asked').catch(() => null);
    if (questions === null) {
      // The line is away; the next look at the session tries again, and photos wait.
      asked = '';
      return;
    }
    questions.show(texts, ask, kept?.answers ?? {});
    queue.answers = questions.typed(ask);
    settle((answered || kept?.given === true) && questions.check(texts, ask, false));
  }

  /** Lets photos be picked and sent, or asks first. */
  function settle(isAnswered: boolean): void {
    answered = isAnswered;
    byId('pick').hidden = done.hidden = !isAnswered;
    byId<HTMLDetailsElement>('asked').open = !isAnswered;
    page.classList.toggle('asking', !isAnswered);
    form.noValidate = !isAnswered;
    if (isAnswered) queue.resume();
    else queue.pause();
  }

  /** Takes what was typed; what is missing is said, and photos wait for it. */
  async function answer(): Promise<void> {
    if (questions === null || ask.length === 0) return;
    if (!questions.check(texts, ask, true)) {
      if (answered) settle(false);
      return;
    }
    queue.answers = questions.typed(ask);
    await store.keepAnswers({ answers: queue.answers, given: true }, expires);
    // Whoever corrects something may go on to the next field.
    if (answered) return;
    settle(true);
    input().focus();
  }

  gallery.disabled = byId<HTMLButtonElement>('send').disabled = false;
  page.classList.add('enhanced');
  // Taking a photo is for devices that are held in the hand; elsewhere this button would open the same file dialog.
  byId('take').hidden = !matchMedia('(any-pointer: coarse)').matches && !data.cameraOnly;
  byId('choose').hidden = data.cameraOnly;
  gallery.required = false;
  byId('send').textContent = texts.continue;
  await restore();
  if (limits === null) {
    page.classList.add('locked');
    byId('pick').hidden = done.hidden = true;
    const known = sessionStorageItem(passwordKept);
    if (known !== null) void unlock(known);
  } else {
    open(null);
    void describe().catch(() => null);
    showLimits();
    watchExpiry();
  }

  for (const [chooser, source] of [[gallery, 'gallery'], [camera, 'camera']] as const) {
    const pick = (): void => {
      const files = Array.from(chooser.files ?? []);
      // Emptied so that the same photo can be picked again.
      chooser.value = '';
      if (files.length > 0) void add(files, source);
    };
    chooser.addEventListener('change', pick);
    // Somebody quicker than this script may have picked photos already.
    if (limits !== null) pick();
  }

  for (const from of document.querySelectorAll<HTMLButtonElement>('.from')) {
    from.hidden = false;
    from.onclick = () => {
      // Later it would be blocked.
      const opened = from.value && window.open(from.value, '', 'popup,width=960,height=720');
      void import('./address').then(({ ask: askFrom }) =>
        askFrom(from, opened, (address, name) => void add([new File([], name)], from.name, address))).catch(() => {
        summary.textContent = texts.offline;
        if (opened) opened.close();
      });
    };
  }

  form.addEventListener('submit', event => {
    event.preventDefault();
    if (password !== null && !byId('protected').hidden) void unlock(password.value);
    else void answer();
  });
  byId('questions').addEventListener('change', () => {
    if (answered) void answer();
    else if (questions !== null) void store.keepAnswers({ answers: questions.typed(ask), given: false }, expires);
  });

  const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  const takesDrops = (): boolean => limits !== null && !form.hidden && !form.inert && !data.cameraOnly;
  document.addEventListener('dragover', event => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    page.classList.toggle('dropping', takesDrops());
  });
  document.addEventListener('dragleave', event => {
    if (event.relatedTarget === null) page.classList.remove('dropping');
  });
  document.addEventListener('drop', event => {
    page.classList.remove('dropping');
    if (!carriesFiles(event)) return;
    event.preventDefault();
    if (takesDrops()) void add(Array.from(event.dataTransfer?.files ?? []), 'gallery');
  });
  window.addEventListener('beforeunload', event => {
    if (store.keeps || (!queue.unfinished && queue.count('gaveUp') === 0)) return;
    event.preventDefault();
    // What browsers before 2023 go by.
    event.returnValue = true;
  });
  document.addEventListener('visibilitychange', () => {
    keepAwake(queue.isBusy);
    if (!document.hidden) refresh();
  });

  async function finish(): Promise<void> {
    const left = queue.count('gaveUp');
    finishing = queue.unfinished;
    if (finishing) {
      summary.textContent = texts.doneWaits;
      return;
    }
    if (queue.count('sent') === 0) {
      summary.textContent = texts.nothingSent;
      return;
    }
    // In words on the page: where it is framed, browsers show no dialog.
    if (left > 0 && !warned) {
      warned = true;
      summary.textContent = fill(plural(texts.withoutOne, texts.withoutOther, left), { n: left });
      return;
    }
    const known = rows.size;
    done.disabled = form.inert = true;
    await captions?.settle();
    // Where the camera was open already, photos still come.
    const outcome = rows.size <= known && await complete(api, visitor, queue.password);
    done.disabled = form.inert = false;
    if (rows.size > known) return outcome ? refresh() : finish();
    if (outcome === 'failed') {
      summary.textContent = texts.doneFailed;
      return;
    }
    if (outcome === 'passwordNeeded') {
      askPassword(texts.passwordWrong);
      return;
    }
    for (const photo of queue.photos.filter(each => each.state === 'gaveUp')) await queue.remove(photo);
    const sent = queue.count('sent');
    const back = byId<HTMLAnchorElement>('return');
    back.hidden = back.getAttribute('href') === '';
    byId('thanks-text').textContent = thankYou ?? fill(plural(texts.thanksOne, texts.thanksOther, sent), { n: sent });
    more.hidden = outcome === 'session';
    page.classList.add('finished');
    thanks.hidden = false;
    byId('thanks-title').focus();
    tellComplete();
  }

  done.addEventListener('click', () => void finish());
  more.addEventListener('click', () => {
    page.classList.remove('finished');
    thanks.hidden = true;
    told = false;
    refresh();
    input().focus();
  });
}

function sessionStorageItem(name: string): string | null {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

showLocalExpiry();
const json = document.getElementById('page-data')?.textContent;
if (json) void start(JSON.parse(json) as PageData);
