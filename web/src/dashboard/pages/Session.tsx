import { CircleCheckBig, Clock, Ellipsis, Images, Mail, Maximize, Pencil, Printer } from 'lucide';
import { useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Copy } from '../../design/Copy';
import { Confirm, Dialog } from '../../design/Dialog';
import { Empty } from '../../design/Empty';
import { Field } from '../../design/Field';
import { Icon } from '../../design/Icon';
import { Menu } from '../../design/Menu';
import { Refusal } from '../../design/Notice';
import { Thumbnail } from '../../design/Picture';
import { sessionState, Status, Tags } from '../../design/Status';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { number } from '../format';
import { Head } from '../Head';
import { useSessionFollow } from '../live';
import { useAct, useLoad } from '../load';
import { Metadata } from '../Metadata';
import { may, toast } from '../state';
import { stripWords } from '../strip';
import { count, t } from '../text';
import { EditSession } from '../SessionForm';

type Details = Schemas['SessionDetails'];

/** One link: its code to be scanned, and the photos as they come. */
export default function Session({ project, id }: { project: string; id: string }) {
  const session = useLoad(signal => ok(api.GET('/api/v1/upload-sessions/{id}', { params: { path: { id } }, signal })), [id]);
  const [files, setFiles] = useState<readonly Schemas['FileStatus'][]>();
  useSessionFollow(id, news => { setFiles(news.files); session.reload(); });
  const details = session.data;
  return (
    <>
      <Head title={details?.label ?? t('Session {id}', { id: id.slice(0, 8) })} back={[`/p/${project}/sessions`, t('Sessions')]}
        status={details && <Status of={sessionState(details.status)} />}>
        {details && may('developer', project) && <Actions session={details} onChanged={session.reload} />}
      </Head>
      <Refusal of={session.problem} />
      <div class="split lead">
        <section class="card" aria-label={t('Photos')}>
          <header>
            <h2>{t('Photos')}</h2>
            {details && <span class="row"><a href={`/p/${project}/uploads?session=${id}`}>{t('Open in Photos')}</a><span class="quiet">{t('{n} of {most}', { n: number(details.imagesCount), most: number(details.effectiveMaxImages) })}</span></span>}
          </header>
          {files?.length === 0
            ? <Empty icon={Images} title={t('Waiting for photos')}>{t('Scan the code with a phone, or send the link to somebody. Photos appear here by themselves.')}</Empty>
            : <div class="body"><Photos project={project} session={id} files={files} /></div>}
        </section>
        <div class="stack">
          <Code id={id} label={details?.label ?? null} open={details?.status === 'pending' || details?.status === 'active'} />
          {details && <><Facts session={details} /><Metadata of={details.metadata} /></>}
        </div>
      </div>
    </>
  );
}

function Photos({ project, session, files }: { project: string; session: string; files: readonly Schemas['FileStatus'][] | undefined }) {
  return (
    <ul class="pictures" aria-live="polite" aria-relevant="additions">
      {files ? [...files].reverse().map((file, index) => (
        <li key={file.record_id} class="arrived">
          <a href={`/p/${project}/uploads/${file.record_id}?session=${session}&at=${index}`}>
            <Thumbnail upload={{ id: file.record_id, filename: file.filename }} />
            <span class="clip">{file.filename}</span>
            <span><Status of={overall(file.destinations)} /></span>
          </a>
        </li>
      )) : Array.from({ length: 4 }, (_, index) => <li key={index}><span class="bone picture" /></li>)}
    </ul>
  );
}

function overall(destinations: Schemas['FileStatus']['destinations']): string {
  const states = destinations.map(each => each.status);
  if (states.length === 0) return 'stored_only';
  if (states.includes('retrying')) return 'retrying';
  if (states.some(state => state === 'pending' || state === 'sending')) return 'sending';
  return states.every(state => state === 'sent') ? 'delivered' : states.includes('sent') ? 'partial' : 'failed';
}

function Code({ id, label, open }: { id: string; label: string | null; open: boolean }) {
  const [large, setLarge] = useState(false);
  const link = `${location.origin}/u/${id}`;
  const code = `/api/v1/upload-sessions/${id}/qr?format=svg&size=600`;
  const alt = t('QR code of the link');
  return (
    <section class="card" aria-label={t('Link')}>
      <div class="body stack">
        <button type="button" class="picture-button" aria-label={t('Show the code large')} onClick={() => setLarge(true)}><img class={open ? 'qr' : 'qr over'} src={code} alt={alt} /></button>
        <Copy text={link} what={t('Link')} />
        <div class="row">
          <Button icon={Maximize} onClick={() => setLarge(true)}>{t('Large')}</Button>
          <Button icon={Printer} onClick={() => printSheet(code, link, label)}>{t('Print')}</Button>
          <a class="button" href={link} target="_blank" rel="noopener">{t('Open the link')}</a>
        </div>
      </div>
      {large && <Dialog broad title={label ?? t('Scan to send photos')} onClose={() => setLarge(false)}><img class="qr large" src={code} alt={alt} /><Copy text={link} what={t('Link')} /></Dialog>}
    </section>
  );
}

/** A sheet of paper with nothing on it but what whoever stands in front of it needs. */
function printSheet(code: string, link: string, label: string | null): void {
  const sheet = open('', '_blank');
  if (!sheet) return;
  const { document: paper } = sheet;
  const add = (name: string, text: string, style: Partial<CSSStyleDeclaration>) => {
    const element = paper.createElement(name);
    element.textContent = text;
    Object.assign(element.style, style);
    paper.body.append(element);
    return element;
  };
  Object.assign(paper.body.style, { font: '14pt system-ui, sans-serif', textAlign: 'center', margin: '2cm' });
  paper.title = label ?? t('Scan to send photos');
  add('h1', label ?? t('Scan to send photos'), { fontSize: '28pt' });
  add('p', t('Scan this code with the camera of your phone to send photos.'), {});
  const image = add('img', '', { width: '12cm', display: 'block', margin: '1cm auto' }) as HTMLImageElement;
  add('p', link, { overflowWrap: 'anywhere', color: '#444' });
  image.onload = () => sheet.print();
  image.src = new URL(code, location.origin).href;
}

function Facts({ session }: { session: Details }) {
  return (
    <section class="card" aria-label={t('About')}>
      <header><h2>{t('About')}</h2></header>
      <dl class="facts body">
        <dt>{t('Open until')}</dt><dd><Time at={session.expiresAt} whole /></dd>
        <dt>{t('Created')}</dt><dd><Time at={session.createdAt} whole /></dd>
        <dt>{t('Photos go to')}</dt>
        <dd>{session.destinations.map(each => each.name).join(', ') || (session.longPollingEnabled ? t('A program that asks for them') : t('Nowhere: they are stored here'))}</dd>
        <dt>{t('Delivered')}</dt><dd>{count(session.imagesDelivered, '{n} photo', '{n} photos')}{session.imagesFailed > 0 && <span class="problem"> · {t('{n} not everywhere', { n: number(session.imagesFailed) })}</span>}</dd>
        <dt>{t('Password')}</dt><dd>{session.password_protected ? t('Required') : t('None')}</dd>
        <dt>{t('Limits per photo')}</dt><dd>{t('{n} MB', { n: session.effectiveMaxImageSizeMb })} · {session.effectiveAllowedMimeTypes.map(kind => kind.slice(6).toUpperCase()).join(', ')}</dd>
        <dt>{t('Strip from photos')}</dt><dd>{stripWords(session.strip)}</dd>
        {session.tags !== null && session.tags.length > 0 && <><dt>{t('Tags')}</dt><dd class="row"><Tags of={session.tags} /></dd></>}
        <dt>{t('Id')}</dt><dd><code>{session.id}</code></dd>
      </dl>
    </section>
  );
}

function Actions({ session, onChanged }: { session: Details; onChanged: () => void }) {
  const [shown, setShown] = useState<'edit' | 'complete' | 'share'>();
  const act = useAct();
  const path = { id: session.id };
  const done = () => { setShown(undefined); onChanged(); };
  const extend = () => act.run(async () => {
    const until = new Date(Math.max(Date.now(), Date.parse(session.expiresAt)) + 86_400_000);
    await ok(api.PATCH('/api/v1/upload-sessions/{id}', { params: { path }, body: { expires_at: until.toISOString() } }));
    toast(t('The link is open for a day longer.'));
    onChanged();
  });
  const complete = () => act.run(async () => {
    await ok(api.POST('/api/v1/upload-sessions/{id}/complete', { params: { path } }));
    done();
  });
  return (
    <>
      {session.status !== 'completed' && <Button icon={Mail} onClick={() => setShown('share')}>{t('Send the link')}</Button>}
      <Button icon={Pencil} onClick={() => setShown('edit')}>{t('Edit')}</Button>
      {session.status !== 'completed' && (
        <Menu label={t('More')} trigger={<Icon of={Ellipsis} />} items={[
          { label: t('Extend by a day'), icon: Clock, onClick: () => void extend() },
          { label: t('Complete'), icon: CircleCheckBig, onClick: () => setShown('complete') },
        ]} />
      )}
      {shown === undefined && <Refusal of={act.problem} />}
      {shown === 'edit' && <EditSession session={session} onClose={() => setShown(undefined)} onSaved={onChanged} />}
      {shown === 'share' && <Share id={session.id} onClose={() => setShown(undefined)} />}
      {shown === 'complete' && (
        <Confirm title={t('Complete this session?')} action={t('Complete')} act={act} onConfirm={() => void complete()} onClose={() => setShown(undefined)}>
          {t('Its link takes no more photos. The photos that are there stay.')}
        </Confirm>
      )}
    </>
  );
}

function Share({ id, onClose }: { id: string; onClose: () => void }) {
  const [recipient, setRecipient] = useState('');
  const [note, setNote] = useState('');
  const act = useAct();
  const send = () => act.run(async () => {
    const isEmail = recipient.includes('@');
    await ok(api.POST('/api/v1/upload-sessions/{id}/share', {
      params: { path: { id } },
      body: { recipient, channel: isEmail ? 'email' : 'sms', ...(isEmail ? (note === '' ? {} : { note }) : { sms_consent: true }) },
    }));
    toast(t('The link is on its way to {recipient}.', { recipient }));
    onClose();
  });
  return (
    <Dialog title={t('Send the link')} onClose={onClose} onSubmit={() => void send()} actions={<Button primary submit busy={act.busy}>{t('Send')}</Button>}>
      <Field label={t('E-mail address or phone number')} value={recipient} onInput={setRecipient} required autofocus hint={t('A phone number begins with + and its owner must have agreed to get a message.')} />
      <Field label={t('Note')} value={note} onInput={setNote} maxLength={500} hint={t('Stands in the e-mail.')} />
      <Refusal of={act.problem} />
    </Dialog>
  );
}
