import { Download, LockOpen, RefreshCw } from 'lucide';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Button } from '../design/Button';
import { Field } from '../design/Field';
import { inWords, Notice } from '../design/Notice';
import { Problem } from './api/client';
import { useAct } from './load';
import { save } from './save';
import { openedKeys } from './state';
import { t } from './text';
import { Closed, open, takeKey, type Opened } from './unseal';
import { Zoomable } from './Zoomable';

interface Photo extends Opened { readonly url: string }

/** A photo that only the owner's private key opens, which is given here and goes nowhere. */
export default function SealedPhoto({ upload }: { upload: { id: string; filename: string } }) {
  const held = openedKeys.value;
  const [tried, setTried] = useState(held);
  const [end, setEnd] = useState<{ photo: Photo } | { error: unknown }>();
  const block = useRef<HTMLElement>(null);
  // Forgotten, here or because somebody else has signed in.
  useEffect(() => { if (held.length === 0) setTried(held); }, [held]);
  useEffect(() => {
    setEnd(undefined);
    if (tried.length === 0) return;
    const leave = new AbortController();
    let url: string | undefined;
    open(upload, tried, leave.signal).then(
      opened => {
        if (leave.signal.aborted) return;
        setEnd({ photo: { ...opened, url: url = URL.createObjectURL(opened.photo) } });
        if (!openedKeys.value.includes(opened.key)) openedKeys.value = [opened.key, ...openedKeys.value];
      },
      (error: unknown) => { if (!leave.signal.aborted) setEnd({ error }); });
    return () => { leave.abort(); if (url) URL.revokeObjectURL(url); };
  }, [upload.id, tried]);

  // What had the focus is gone from the page.
  const attempt = (keys: readonly CryptoKey[]) => { block.current?.focus(); setEnd(undefined); setTried(keys); };
  const forget = () => {
    openedKeys.value = [];
    setEnd(undefined);
    setTried([]);
    requestAnimationFrame(() => block.current?.querySelector('h2')?.focus());
  };
  return (
    <section ref={block} class="stack" tabIndex={-1} aria-label={t('Encrypted photo')}>
      <p class="unseen" role="status">{tried.length > 0 && !end ? t('The photo is being opened…') : ''}</p>
      {tried.length === 0 ? <KeyForm onKey={key => attempt([key, ...openedKeys.value])} />
        : !end ? <div class="viewer"><span class="quiet" aria-hidden="true">{t('The photo is being opened…')}</span></div>
        : 'photo' in end ? <Shown key={end.photo.url} photo={end.photo} onForget={forget} />
        : end.error instanceof Closed ? <KeyForm problem={t(end.error.words)} onKey={key => attempt([key, ...openedKeys.value])} />
        : <div role="alert"><Notice kind="bad" action={<Button icon={RefreshCw} onClick={() => attempt([...tried])}>{t('Try again')}</Button>}>{wordsOf(end.error)}</Notice></div>}
    </section>
  );
}

function Shown({ photo, onForget }: { photo: Photo; onForget: () => void }) {
  const isPhoto = photo.photo.type.startsWith('image/');
  const [visible, setVisible] = useState(isPhoto);
  return (
    <>
      {visible
        ? <Zoomable source={photo.url} alt={photo.filename} onError={() => setVisible(false)} />
        : <div class="viewer"><p class="quiet">{isPhoto ? t('This browser shows no pictures of this kind. It can be downloaded.') : t('This is no photo of a kind that is known here. It is saved with the ending .bin.')}</p></div>}
      <div class="row">
        <Button icon={Download} onClick={() => save(photo.filename, photo.photo)}>{t('Download decrypted')}</Button>
        <Button plain onClick={onForget}>{t('Forget the key')}</Button>
      </div>
    </>
  );
}

function KeyForm({ problem, onKey }: { problem?: string; onKey: (key: CryptoKey) => void }) {
  const [pem, setPem] = useState('');
  const [wrong, setWrong] = useState(problem);
  const act = useAct();
  const file = useId();
  const able = window.isSecureContext;
  const submit = () => act.run(async () => {
    setWrong(undefined);
    try {
      onKey(await takeKey(pem));
    } catch (error) {
      setWrong(wordsOf(error));
    }
  });
  const choose = async (input: HTMLInputElement) => {
    const start = input.files?.[0]?.slice(0, 32_768);
    setWrong(undefined);
    try {
      setPem(await start?.text() ?? '');
    } catch {
      setWrong(t('This file cannot be read.'));
    }
    // So that choosing it once more, mended, is a change.
    input.value = '';
  };
  return (
    <form class="card" onSubmit={event => { event.preventDefault(); void submit(); }}>
      <header><h2 tabIndex={-1}>{t('Encrypted photo')}</h2></header>
      <div class="body stack">
        <p class="quiet">{t('Only the owner of the private key can open this photo.')} {t('The key stays in this page: it is sent nowhere, and forgotten when the page is closed.')}</p>
        {!able && <Notice kind="warn">{t('Browsers open encrypted photos only on pages that came by HTTPS.')}</Notice>}
        <Field label={t('Private key (PEM)')} type="document" value={pem} onInput={setPem} required autocomplete="off" placeholder="-----BEGIN PRIVATE KEY-----" />
        <div class="field">
          <label for={file}>{t('Or choose its file')}</label>
          <input id={file} class="input" type="file" accept=".pem,.key,.txt" onChange={event => void choose(event.currentTarget)} />
        </div>
        <div role="alert">{wrong !== undefined && <Notice kind="bad">{wrong}</Notice>}</div>
        <div class="row"><Button primary submit icon={LockOpen} busy={act.busy} disabled={!able}>{t('Open the photo')}</Button></div>
      </div>
    </form>
  );
}

function wordsOf(error: unknown): string {
  if (error instanceof Closed) return t(error.words);
  if (error instanceof RangeError) return t('This photo is too large for the memory of this browser.');
  return inWords(error instanceof Problem ? error : new Problem(0, 'UNKNOWN', String(error)));
}
