import { FolderPlus, Plus } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Dialog } from '../../design/Dialog';
import { Empty } from '../../design/Empty';
import { Field } from '../../design/Field';
import { Refusal } from '../../design/Notice';
import { api, ok } from '../api/client';
import { refreshProjects } from '../App';
import { Head } from '../Head';
import { useAct } from '../load';
import { address, go } from '../router';
import { projects, roleWords } from '../state';
import { t } from '../text';

/** Where somebody begins who belongs to several projects, or to none; whoever has one goes straight there. */
export default function Projects() {
  const all = projects.value ?? [];
  const making = address.value.searchParams.has('new');
  useEffect(() => { if (all.length === 1 && !making && history.length <= 2) go(`/p/${all[0]!.id}`, 'replace'); }, []);
  return (
    <>
      <Head title={t('Projects')}><Button primary icon={Plus} onClick={() => go('/?new=1')}>{t('New project')}</Button></Head>
      {all.length === 0 && (
        <div class="card">
          <Empty icon={FolderPlus} title={t('You have no project yet')} action={<Button primary onClick={() => go('/?new=1')}>{t('New project')}</Button>}>
            {t('A project holds links to send photos to, the photos that arrive, and the places they are delivered to.')}
          </Empty>
        </div>
      )}
      <div class="choices">
        {all.map(({ id, name, role }) => (
          <a key={id} class="choice" href={`/p/${id}`}>
            <span class="badge-letter">{name.slice(0, 1).toUpperCase()}</span>
            <span class="grow"><strong class="clip" style={{ display: 'block' }}>{name}</strong><span class="quiet small">{t(roleWords[role])}</span></span>
          </a>
        ))}
      </div>
      {making && <NewProject onClose={() => go('/', 'replace')} />}
    </>
  );
}

function NewProject({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('');
  const act = useAct();
  // Another press, when what comes after did not go well, makes no second one.
  const made = useRef<string | undefined>(undefined);
  const make = () => act.run(async () => {
    made.current ??= (await ok(api.POST('/api/v1/projects', { body: { name } }))).id;
    await refreshProjects();
    go(`/p/${made.current}/start`);
  });
  return (
    <Dialog title={t('New project')} onClose={onClose} onSubmit={() => void make()} actions={<Button primary submit busy={act.busy}>{t('Create project')}</Button>}>
      <Field label={t('Name')} value={name} onInput={setName} required maxLength={200} autofocus hint={t('People who send photos see it.')} />
      <Refusal of={act.problem} />
    </Dialog>
  );
}
