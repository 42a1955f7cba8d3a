import { Check, Images, QrCode, Send } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Button, LinkButton } from '../../design/Button';
import { Copy } from '../../design/Copy';
import { Icon } from '../../design/Icon';
import { Notice, Refusal } from '../../design/Notice';
import { Thumbnail } from '../../design/Picture';
import { Status } from '../../design/Status';
import { api, ok, type Schemas } from '../api/client';
import { connect } from '../connect';
import { iconOf, TypeChoice, useDestinationTypes } from '../DestinationTypes';
import { Head } from '../Head';
import { useSessionFollow } from '../live';
import { useAct, useLoad } from '../load';
import { env } from '../state';
import { TestAnswer } from '../TestAnswer';
import { t } from '../text';
import { NewDestinationForm } from './Destinations';

/** From an empty project to the first photo, one step after the other. */
export default function Start({ project }: { project: string }) {
  const [step, setStep] = useState(1);
  const [destination, setDestination] = useState<Schemas['Destination']>();
  const [session, setSession] = useState<string>();
  const act = useAct();
  const make = () => act.run(async () => {
    const made = await ok(api.POST('/api/v1/upload-sessions', {
      body: { project_id: project, env: env.value, destination_ids: destination ? [destination.id] : [], label: t('First photos') },
    }));
    setSession(made.id);
    setStep(3);
  });
  return (
    <>
      <Head title={t('Your first photo')}><LinkButton plain href={`/p/${project}`}>{t('Skip this')}</LinkButton></Head>
      <div class="steps">
        <Step nr={1} at={step} title={t('Where should photos go?')} note={destination?.name ?? t('They are always stored here; a destination gets each one delivered.')}>
          <ChooseDestination project={project} made={destination} onMade={setDestination} onChosen={chosen => { setDestination(chosen); setStep(2); }} onNext={() => setStep(2)} />
        </Step>
        <Step nr={2} at={step} title={t('Create a link')} note={t('Whoever opens it can send photos: no app, no account.')}>
          <Refusal of={act.problem} />
          <Button primary icon={QrCode} busy={act.busy} onClick={() => void make()}>{t('Create the link')}</Button>
        </Step>
        <Step nr={3} at={step} title={t('Send a photo')} note={t('From your phone, or from this device.')}>
          {session !== undefined && <SendPhoto project={project} session={session} />}
        </Step>
      </div>
    </>
  );
}

function Step({ nr, at, title, note, children }: { nr: number; at: number; title: string; note: string; children: ComponentChildren }) {
  const [open, done] = [nr === at, nr < at];
  return (
    <section class={`card step ${open ? 'open' : ''} ${done ? 'done' : ''}`} aria-label={title} aria-current={open ? 'step' : undefined}>
      <header><div class="row still grow"><span class="nr">{done ? <Icon of={Check} /> : nr}</span><div><h2>{title}</h2><p>{note}</p></div></div></header>
      {open && <div class="body stack">{children}</div>}
    </section>
  );
}

function ChooseDestination({ project, made, onMade, onChosen, onNext }: {
  project: string; made: Schemas['Destination'] | undefined; onMade: (made: Schemas['Destination']) => void;
  onChosen: (chosen: Schemas['Destination']) => void; onNext: () => void;
}) {
  const types = useDestinationTypes();
  // Whoever was away to connect one, or to mend it, comes back to it.
  const all = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/destinations', { params: { path: { projectId: project } }, signal })), [project]);
  const there = all.data?.filter(each => each.isActive) ?? [];
  const [type, setType] = useState<Schemas['DestinationType']>();
  const [answer, setAnswer] = useState<Schemas['DestinationTest']>();
  const act = useAct();
  const test = (destination: Schemas['Destination']) => act.run(async () => {
    onMade(destination);
    setAnswer(undefined);
    if (type?.oAuth) await connect(project, destination.id);
    else setAnswer(await ok(api.POST('/api/v1/projects/{projectId}/destinations/{id}/test', { params: { path: { projectId: project, id: destination.id } } })));
  });
  if (made) {
    return (
      <>
        {!answer && !act.problem && <p class="quiet">{t('Testing {name}…', { name: made.name })}</p>}
        <TestAnswer of={answer} />
        <Refusal of={act.problem} />
        <div class="row">
          <Button primary={answer?.success === true} onClick={onNext}>{t('Continue')}</Button>
          {!answer?.success && <><Button busy={act.busy} onClick={() => void test(made)}>{t('Test again')}</Button><LinkButton href={`/p/${project}/destinations/${made.id}`}>{t('Edit')}</LinkButton></>}
        </div>
      </>
    );
  }
  return (
    <>
      <Refusal of={types.problem ?? all.problem} />
      {there.length > 0 && (
        <>
          <p class="quiet">{t('One that is there already:')}</p>
          <div class="choices" role="group" aria-label={t('Destinations')}>
            {there.map(each => (
              <button key={each.id} type="button" class="choice" onClick={() => onChosen(each)}>
                <Icon of={iconOf(each.type)} /><span>{each.name}</span>{each.problem !== null && <Status of="attention" />}
              </button>
            ))}
          </div>
          <p class="quiet">{t('Or a new one:')}</p>
        </>
      )}
      <TypeChoice types={types.data ?? []} chosen={type} onChoose={setType} />
      {type && <NewDestinationForm key={type.type} project={project} type={type} onMade={destination => void test(destination)} />}
      <div class="row"><Button icon={Send} onClick={onNext}>{t('Only store them here for now')}</Button></div>
    </>
  );
}

function SendPhoto({ project, session }: { project: string; session: string }) {
  const [files, setFiles] = useState<readonly Schemas['FileStatus'][]>([]);
  useSessionFollow(session, news => setFiles(news.files));
  const link = `${location.origin}/u/${session}`;
  const [first] = files;
  return (
    <div class="split">
      <div class="stack">
        {first
          ? (
            <>
              <Notice kind="good"><strong>{t('It is here')}</strong><br />{t('The photo is on disk, and on its way to where it should go.')}</Notice>
              <a href={`/p/${project}/uploads/${first.record_id}`} class="row still"><Thumbnail upload={{ id: first.record_id, filename: first.filename }} class="small" /><strong class="clip">{first.filename}</strong>
                <Status of={first.destinations[0]?.status ?? 'stored_only'} /></a>
              <div class="row"><LinkButton primary icon={Images} href={`/p/${project}/sessions/${session}`}>{t('See the photos')}</LinkButton><LinkButton href={`/p/${project}`}>{t('Home')}</LinkButton></div>
            </>
          )
          : <p>{t('Scan this code with the camera of your phone, take a photo, and it appears here by itself.')}</p>}
        <Copy text={link} what={t('Link')} />
        <div class="row"><a class="button" href={link} target="_blank" rel="noopener">{t('Open it here')}</a></div>
      </div>
      <img class="qr" src={`/api/v1/upload-sessions/${session}/qr?format=svg&size=600`} alt={t('QR code of the link')} />
    </div>
  );
}
