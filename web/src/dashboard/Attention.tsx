import { Plug, RefreshCw, Power } from 'lucide';
import type { ComponentChildren } from 'preact';
import { Button, LinkButton } from '../design/Button';
import { Notice, inWords } from '../design/Notice';
import { api, ok, type Schemas } from './api/client';
import { connect } from './connect';
import { destinationState } from './DestinationTypes';
import { useEvents } from './live';
import { useAct, useLoad } from './load';
import { env, may, toast } from './state';
import { count, t } from './text';

type Destination = Schemas['Destination'];
type Health = Schemas['DestinationHealth'];

/** What does not work by itself, why, and the one click that mends it. Nothing at all when all is well. */
export function Attention({ project }: { project: string }) {
  const path = { projectId: project };
  const found = useLoad(async signal => {
    const [types, destinations, health, webhooks, server] = await Promise.all([
      ok(api.GET('/api/v1/destination-types', { signal })),
      ok(api.GET('/api/v1/projects/{projectId}/destinations', { params: { path }, signal })),
      ok(api.GET('/api/v1/projects/{projectId}/destination-health', { params: { path }, signal })),
      ok(api.GET('/api/v1/projects/{projectId}/webhooks', { params: { path }, signal })),
      readiness(signal),
    ]);
    return { types, destinations, health, webhooks: webhooks.filter(webhook => webhook.disabledAt !== null), server };
  }, [project]);
  useEvents(project, found.reload, 5);
  if (!found.data) return null;

  const { types, destinations, health, webhooks, server } = found.data;
  const troubled = destinations.flatMap(destination => {
    const state = health.find(each => each.destinationId === destination.id);
    return state && destinationState(destination, state) === 'attention' ? [{ destination, state }] : [];
  });
  if (server.length + troubled.length + webhooks.length === 0) return null;
  return (
    <div class="stack tight" role="region" aria-label={t('Needs attention')}>
      {server.map(problem => <Notice key={problem.check} kind="warn"><strong>{t('The server')}</strong><br />{problem.detail}</Notice>)}
      {troubled.map(({ destination, state }) => (
        <Troubled key={destination.id} project={project} type={types.find(type => type.type === destination.type)} destination={destination} state={state} onMended={found.reload} />
      ))}
      {webhooks.map(webhook => (
        <Item key={webhook.id} title={webhook.url} detail={t('This event webhook was switched off after too many failures.')}
          href={`/p/${project}/webhooks/${webhook.id}`}
          action={may('developer', project) && { icon: Power, label: t('Switch on'), run: async () => {
            await ok(api.PATCH('/api/v1/projects/{projectId}/webhooks/{id}', { params: { path: { ...path, id: webhook.id } }, body: { isActive: true } }));
            found.reload();
          } }} />
      ))}
    </div>
  );
}

function Troubled({ project, type, destination, state, onMended }: {
  project: string; type: Schemas['DestinationType'] | undefined; destination: Destination; state: Health; onMended: () => void;
}) {
  const facts = [
    state.waiting > 0 && (destination.problem !== null || state.isFailing) && count(state.waiting, '{n} delivery is waiting.', '{n} deliveries are waiting.'),
    state.failedLately > 0 && count(state.failedLately, '{n} delivery failed for good.', '{n} deliveries failed for good.'),
  ].filter(Boolean).join(' ');
  const connectable = type?.oAuth === true && destination.problem !== null && destination.health.failingSince === null;
  return (
    <Item title={destination.name} detail={<>{destination.problem ?? state.lastError}{facts && <><br /><span class="small">{facts}</span></>}</>}
      href={`/p/${project}/destinations/${destination.id}`}
      action={may('developer', project) && type?.problem === null && (connectable
        ? { icon: Plug, label: t('Connect'), run: () => connect(project, destination.id) }
        : { icon: RefreshCw, label: t('Try again'), run: async () => { await tryAgain(project, destination.id, state.failedLately > 0); onMended(); } })} />
  );
}

interface ItemAction { readonly icon: typeof RefreshCw; readonly label: string; readonly run: () => Promise<void> }

function Item({ title, detail, href, action }: { title: string; detail: ComponentChildren; href: string; action: ItemAction | false }) {
  const act = useAct();
  return (
    <Notice kind="bad" action={
      <span class="row">
        <LinkButton href={href}>{t('View')}</LinkButton>
        {action && <Button primary icon={action.icon} busy={act.busy} onClick={() => void act.run(action.run)}>{action.label}</Button>}
      </span>
    }>
      <strong>{title}</strong><br />{detail}
      {act.problem && <div role="alert">{inWords(act.problem)}</div>}
    </Notice>
  );
}

/** Tests a destination, which sends what waits for it when that goes well, and then gives what failed another try. */
async function tryAgain(projectId: string, id: string, hasFailed: boolean): Promise<void> {
  const test = await ok(api.POST('/api/v1/projects/{projectId}/destinations/{id}/test', { params: { path: { projectId, id } } }));
  if (!test.success) {
    toast(t('It still does not work: {reason}', { reason: test.error ?? test.message ?? '' }), 'bad');
    return;
  }
  const again = hasFailed
    ? (await ok(api.POST('/api/v1/projects/{projectId}/replays', { params: { path: { projectId }, query: { env: env.value } }, body: { destinationId: id, status: 'failed', from: new Date(Date.now() - 7 * 86_400_000).toISOString() } }))).total
    : 0;
  toast(again === 0
    ? t('It works again. What was waiting is on its way.')
    : count(again, 'It works again. What was waiting is on its way, and {n} photo that had failed there is sent again.', 'It works again. What was waiting is on its way, and {n} photos that had failed there are sent again.'));
}

/** What is wrong with the server itself: most of it is for whoever runs it to mend. */
export async function readiness(signal: AbortSignal): Promise<readonly Schemas['HealthProblem'][]> {
  const { data, error } = await api.GET('/readyz', { signal });
  return data?.problems ?? (error as Partial<Schemas['Error']> | undefined)?.problems ?? [];
}

