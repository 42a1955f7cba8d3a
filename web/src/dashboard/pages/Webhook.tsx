import { Braces, FlaskConical, Pencil, Power, RefreshCw, ShieldCheck, Trash2 } from 'lucide';
import { useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Copy, CopyButton } from '../../design/Copy';
import { Confirm, Dialog } from '../../design/Dialog';
import { Select } from '../../design/Field';
import { Notice, Refusal } from '../../design/Notice';
import { Status, Tags } from '../../design/Status';
import { Time } from '../../design/Time';
import { WindowedTable } from '../../design/Windowed';
import { api, ok, type Schemas } from '../api/client';
import { filter } from '../Filters';
import { duration, exact, inLines } from '../format';
import { Head } from '../Head';
import { useEvents } from '../live';
import { useAct, useLoad } from '../load';
import { pageSize, usePaged } from '../paged';
import { go, setQuery } from '../router';
import { SignatureChecker } from '../SignatureChecker';
import { may, toast } from '../state';
import { count, t } from '../text';
import { topicsInWords, WebhookForm, webhookState } from './Webhooks';

/** One event webhook, with everything it was told and what it answered. */
export default function Webhook({ project, id }: { project: string; id: string }) {
  const path = { projectId: project, id };
  const webhook = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/webhooks/{id}', { params: { path }, signal })), [path]);
  const status = filter('status') as Schemas['EventDelivery']['status'] | '';
  const history = usePaged(async (page, signal) => {
    const query = { page, limit: pageSize, ...(status ? { status } : {}) };
    const answer = await ok(api.GET('/api/v1/projects/{projectId}/webhooks/{id}/deliveries', { params: { path, query }, signal }));
    return { data: answer.deliveries, total: answer.total };
  }, [path, status]);
  useEvents(project, history.reload);
  const [shown, setShown] = useState<'edit' | 'delete'>();
  const [answer, setAnswer] = useState<string>();
  const act = useAct();
  const details = webhook.data;
  const test = () => act.run(async () => {
    setAnswer(undefined);
    setAnswer((await ok(api.POST('/api/v1/projects/{projectId}/webhooks/{id}/test', { params: { path } }))).message);
    history.reload();
  });
  const turn = (isActive: boolean) => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}/webhooks/{id}', { params: { path }, body: { isActive } }));
    webhook.reload();
  });
  const remove = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/projects/{projectId}/webhooks/{id}', { params: { path } }));
    go(`/p/${project}/webhooks`);
  });
  const developer = may('developer', project);
  return (
    <>
      <Head title={details ? new URL(details.url).host : t('Event webhook')} back={[`/p/${project}/webhooks`, t('Event webhooks')]} status={details && <Status of={webhookState(details)} />}>
        {developer && details && (
          <>
            <Button icon={Power} disabled={act.busy} onClick={() => void turn(!details.isActive)}>{details.isActive ? t('Switch off') : t('Switch on')}</Button>
            <Button icon={Pencil} onClick={() => setShown('edit')}>{t('Edit')}</Button>
            <Button primary icon={FlaskConical} busy={act.busy} onClick={() => void test()}>{t('Test')}</Button>
            <Button danger icon={Trash2} label={t('Delete')} onClick={() => setShown('delete')} />
          </>
        )}
      </Head>
      <div class="stack">
        <Refusal of={webhook.problem ?? act.problem} />
        <div role="status">{answer !== undefined && <Notice kind="info">{answer}</Notice>}</div>
        {details?.disabledAt && <Notice kind="bad">{t('It was switched off after too many failures. Nothing is sent until you switch it on.')}</Notice>}
        <div class="split">
          <section class="card" aria-label={t('History')}>
            <header>
              <h2>{t('History')}</h2>
              <Select label={t('Status')} unseenLabel value={status} onInput={value => setQuery({ status: value })} options={[
                { value: '', label: t('Every status') }, { value: 'sent', label: t('Delivered') }, { value: 'retrying', label: t('Trying again') }, { value: 'failed', label: t('Failed') },
              ]} />
            </header>
            <Refusal of={history.problem} />
            {history.total === 0
              ? <p class="body quiet">{status ? t('Nothing found') : t('Nothing has been sent yet.')}</p>
              : <WindowedTable label={t('History')} rows={history.total} columns={5}
                  head={<tr><th>{t('Event')}</th><th>{t('Status')}</th><th>{t('Answer')}</th><th>{t('When')}</th><th><span class="unseen">{t('Send again')}</span></th></tr>}
                  row={index => <Row key={history.known(index)?.id ?? index} path={path} delivery={history.row(index)} mayRetry={developer} onRetried={history.reload} />} />}
          </section>
          {details && (
            <section class="card" aria-label={t('About')}>
              <header><h2>{t('About')}</h2><Button icon={ShieldCheck} onClick={() => setQuery({ check: '1' })}>{t('Check a signature')}</Button></header>
              <dl class="facts body">
                <dt>{t('URL')}</dt><dd>{details.url}</dd>
                <dt>{t('Topics')}</dt><dd class="row"><Tags of={topicsInWords(details)} /></dd>
                <dt>{t('Signature')}</dt><dd>{details.signatureMethod === 'svix' ? 'Svix' : 'HMAC-SHA256'}</dd>
                <dt>{t('Secret')}</dt><dd>{developer ? <Copy text={details.secret} what={t('Secret')} secret /> : <code>{details.secret}</code>}</dd>
                <dt>{t('Consecutive failures')}</dt><dd>{t('{n} of {most}', { n: details.consecutiveFailures, most: details.disableAfterFailures })}</dd>
              </dl>
            </section>
          )}
        </div>
      </div>
      {shown === 'edit' && details && <WebhookForm project={project} webhook={details} onClose={() => setShown(undefined)} onSaved={() => { setShown(undefined); webhook.reload(); }} />}
      {filter('check') && details && <SignatureChecker secret={developer ? details.secret : ''} onClose={() => setQuery({ check: null })} />}
      {filter('event') && <Sent path={path} deliveryId={filter('event')} onClose={() => setQuery({ event: null })} />}
      {shown === 'delete' && (
        <Confirm title={t('Delete this event webhook?')} action={t('Delete')} act={act} onConfirm={() => void remove()} onClose={() => setShown(undefined)}>
          {t('Its history goes with it, and what still waits is never sent.')}
        </Confirm>
      )}
    </>
  );
}

function Row({ path, delivery, mayRetry, onRetried }: { path: { projectId: string; id: string }; delivery: Schemas['EventDelivery'] | undefined; mayRetry: boolean; onRetried: () => void }) {
  const act = useAct();
  if (!delivery) return <tr>{Array.from({ length: 5 }, (_, index) => <td key={index}><span class="bone" style={{ width: '4rem' }} /></td>)}</tr>;
  const retry = () => act.run(async () => {
    toast((await ok(api.POST('/api/v1/projects/{projectId}/webhooks/{id}/deliveries/{deliveryId}/retry', { params: { path: { ...path, deliveryId: delivery.id } } }))).message);
    onRetried();
  });
  return (
    <tr>
      <td><span class="row still"><code class="anywhere">{delivery.topic}</code><Button plain icon={Braces} label={t('Payload')} onClick={() => setQuery({ event: delivery.id })} /></span></td>
      <td data-label={t('Status')}><Status of={delivery.status} /></td>
      <td data-label={t('Answer')}>
        <details class="anywhere small">
          <summary>
            {delivery.responseCode === null ? delivery.attempts === 0 ? t('None yet') : t('None') : `HTTP ${delivery.responseCode} · ${duration(delivery.durationMs)}`}
            {delivery.lastError !== null && delivery.status !== 'sent' && <span class="problem"> {delivery.lastError}</span>}
          </summary>
          <p class="quiet">
            {count(delivery.attempts, '{n} attempt', '{n} attempts')}
            {delivery.nextRetryAt !== null && ` · ${t('next planned for {when}', { when: exact(delivery.nextRetryAt) })}`}
          </p>
          {delivery.responseBody !== null && <p class="lines"><code>{delivery.responseBody || '–'}</code></p>}
        </details>
      </td>
      <td data-label={t('When')}><span class="quiet"><Time at={delivery.createdAt} /></span></td>
      <td data-label={t('Send again')}>{mayRetry && <Button plain icon={RefreshCw} label={t('Send again')} busy={act.busy} onClick={() => void retry()} />}</td>
    </tr>
  );
}

/** What an event was or will be sent as: the history has nothing of it. */
function Sent({ path, deliveryId, onClose }: { path: { projectId: string; id: string }; deliveryId: string; onClose: () => void }) {
  const event = useLoad(
    signal => ok(api.GET('/api/v1/projects/{projectId}/webhooks/{id}/deliveries/{deliveryId}', { params: { path: { ...path, deliveryId } }, signal })), [path, deliveryId]);
  return (
    <Dialog title={t('Payload')} broad onClose={onClose}>
      <Refusal of={event.problem} />
      {event.data && (
        <>
          <p class="quiet">{t('The body of the request, as it is signed. The link to a photo in it is a new one for each attempt.')}</p>
          <div class="copy whole"><code class="indented">{inLines(event.data.payload)}</code><CopyButton text={event.data.payload} what={t('Payload')} /></div>
        </>
      )}
    </Dialog>
  );
}
