import { Download, LockOpen } from 'lucide';
import { useEffect, useId, useState } from 'preact/hooks';
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

/** A photo that only the owner's private key opens, which is given here and goes nowhere. */
export default function SealedPhoto({ upload }: { upload: { id: string; filename: string } }) {
  const [opened, setOpened] = useState<Opened & { readonly url: string }>();
  const [problem, setProblem] = useState<string>();
  const keys = openedKeys.value;
  useEffect(() => {
    setOpened(undefined);
    if (keys.length === 0) return;
    const end = new AbortController();
    let url: string | undefined;
    open(upload, keys, end.signal).then(
      photo => { if (!end.signal.aborted) { setProblem(undefined); setOpened({ ...photo, url: url = URL.createObjectURL(photo.photo) }); } },
      (error: unknown) => { if (!end.signal.aborted) setProblem(wordsOf(error)); });
    return () => { end.abort(); if (url) URL.revokeObjectURL(url); };
  }, [upload.id, keys]);
  if (!opened) return <KeyForm problem={problem} onProblem={setProblem} />;
  return (
    <div class="stack">
      {/^image\/(jpeg|png|webp)$/.test(opened.photo.type)
        ? <Zoomable source={opened.url} alt={opened.filename} />
        : <div class="viewer"><p class="quiet">{t('This browser shows no pictures of this kind. It can be downloaded.')}</p></div>}
      <div class="row">
        <Button icon={Download} onClick={() => save(opened.filename, opened.photo)}>{t('Download decrypted')}</Button>
        <Button plain onClick={() => { openedKeys.value = []; }}>{t('Forget the key')}</Button>
      </div>
    </div>
  );
}

function KeyForm({ problem, onProblem }: { problem: string | undefined; onProblem: (words: string | undefined) => void }) {
  const [pem, setPem] = useState('');
  const act = useAct();
  const file = useId();
  const able = window.isSecureContext;
  const submit = () => act.run(async () => {
    onProblem(undefined);
    try {
      openedKeys.value = [await takeKey(pem)];
    } catch (error) {
      onProblem(wordsOf(error));
    }
  });
  return (
    <form class="card" onSubmit={event => { event.preventDefault(); void submit(); }}>
      <header><h2>{t('Encrypted photo')}</h2></header>
      <div class="body stack">
        <p class="quiet">{t('Only the owner of the private key can open this photo.')} {t('The key stays in this page: it is sent nowhere, and forgotten when the page is closed.')}</p>
        {!able && <Notice kind="warn">{t('Browsers open encrypted photos only on pages that came by HTTPS.')}</Notice>}
        <Field label={t('Private key (PEM)')} type="document" value={pem} onInput={setPem} required autocomplete="off" placeholder="-----BEGIN PRIVATE KEY-----" />
        <div class="field">
          <label for={file}>{t('Or choose its file')}</label>
          <input id={file} class="input" type="file" accept=".pem,.key,.txt" onChange={event => void event.currentTarget.files?.[0]?.slice(0, 32_768).text().then(setPem)} />
        </div>
        <div role="alert">{problem !== undefined && <Notice kind="bad">{problem}</Notice>}</div>
        <div class="row"><Button primary submit icon={LockOpen} busy={act.busy} disabled={!able}>{t('Open the photo')}</Button></div>
      </div>
    </form>
  );
}

const wordsOf = (error: unknown): string =>
  error instanceof Closed ? t(error.words) : inWords(error instanceof Problem ? error : new Problem(0, 'UNKNOWN', String(error)));
