import { Plus, QrCode, SearchX } from 'lucide';
import { Button } from '../../design/Button';
import { Empty } from '../../design/Empty';
import { Select } from '../../design/Field';
import { Refusal } from '../../design/Notice';
import { sessionState, Status, Tags } from '../../design/Status';
import { Time } from '../../design/Time';
import { WindowedTable } from '../../design/Windowed';
import { api, ok, type Schemas } from '../api/client';
import { filter, Filters } from '../Filters';
import { number } from '../format';
import { Head } from '../Head';
import { useEvents } from '../live';
import { pageSize, usePaged } from '../paged';
import { setQuery } from '../router';
import { NewSession } from '../SessionForm';
import { env, may } from '../state';
import { t } from '../text';

type State = Schemas['SessionRow']['status'];

/** Every link that was given out, newest first. */
export default function Sessions({ project }: { project: string }) {
  const [q, status] = [filter('q'), filter('status')];
  const query = { projectId: project, env: env.value, pageSize, ...(q ? { q } : {}), ...(status ? { status: status as State } : {}) };
  const list = usePaged((page, signal) => ok(api.GET('/api/v1/sessions', { params: { query: { ...query, page } }, signal })), [query]);
  useEvents(project, list.reload);
  const developer = may('developer', project);
  const fresh = <Button primary icon={Plus} onClick={() => setQuery({ new: '1' })}>{t('New session')}</Button>;
  return (
    <>
      <Head title={t('Sessions')}>{developer && fresh}</Head>
      <div class="stack">
        <Filters placeholder={t('Search by label, tag or id')}>
          <Select label={t('Status')} unseenLabel value={status} onInput={value => setQuery({ status: value })} options={[
            { value: '', label: t('Every status') }, { value: 'pending', label: t('Not opened yet') }, { value: 'active', label: t('Open') },
            { value: 'completed', label: t('Completed') }, { value: 'expired', label: t('Expired') }, { value: 'failed', label: t('Failed') },
          ]} />
        </Filters>
        <Refusal of={list.problem} />
        <div class="card">
          {list.total === 0
            ? q || status
              ? <Empty icon={SearchX} title={t('Nothing found')} action={<Button onClick={() => setQuery({ q: null, status: null })}>{t('Clear filters')}</Button>} />
              : <Empty icon={QrCode} title={t('There is no session yet.')} action={developer && fresh}>{t('A session is a link and a code that let somebody send you photos, without an app or an account.')}</Empty>
            : <WindowedTable label={t('Sessions')} rows={list.total} columns={6}
                head={<tr><th>{t('Session')}</th><th>{t('Status')}</th><th class="num">{t('Photos')}</th><th>{t('Tags')}</th><th>{t('Created')}</th><th>{t('Open until')}</th></tr>}
                row={index => <Row key={index} project={project} session={list.row(index)} />} />}
        </div>
      </div>
      {filter('new') && developer && <NewSession project={project} onClose={() => setQuery({ new: null })} />}
    </>
  );
}

function Row({ project, session }: { project: string; session: Schemas['SessionRow'] | undefined }) {
  if (!session) return <tr>{Array.from({ length: 6 }, (_, index) => <td key={index}><span class="bone" style={{ width: index === 0 ? '10rem' : '4rem' }} /></td>)}</tr>;
  return (
    <tr class="link">
      <td><a class="title" href={`/p/${project}/sessions/${session.id}`}>{session.label ?? session.id.slice(0, 8)}</a></td>
      <td data-label={t('Status')}><Status of={sessionState(session.status)} /></td>
      <td data-label={t('Photos')} class="num">
        <span>{number(session.imagesCount)}{session.imagesFailed > 0 && <span class="problem"> · {t('{n} not everywhere', { n: number(session.imagesFailed) })}</span>}</span>
      </td>
      <td data-label={t('Tags')} class={session.tags === null ? 'bare' : undefined}><span class="row"><Tags of={session.tags?.slice(0, 3)} /></span></td>
      <td data-label={t('Created')}><span class="quiet"><Time at={session.createdAt} /></span></td>
      <td data-label={t('Open until')}><span class="quiet"><Time at={session.expiresAt} /></span></td>
    </tr>
  );
}
