import { Plus, Trash2 } from 'lucide';
import { useState } from 'preact/hooks';
import { Button } from '../../design/Button';
import { Copy } from '../../design/Copy';
import { Confirm, Dialog, Once } from '../../design/Dialog';
import { Field, Select } from '../../design/Field';
import { Notice, Refusal } from '../../design/Notice';
import { Time } from '../../design/Time';
import { api, ok, type Schemas } from '../api/client';
import { refreshProjects } from '../App';
import { filter } from '../Filters';
import { Head } from '../Head';
import { useAct, useLoad } from '../load';
import { go, setQuery } from '../router';
import { may, person, projects, rolesUpTo, roleWords, type Role } from '../state';
import { t, type Words } from '../text';

type Member = Schemas['Member'];

const meanings: Readonly<Record<Role, Words>> = {
  viewer: 'Sees everything, changes nothing', developer: 'Makes sessions, destinations and keys', admin: 'Also manages members and settings', owner: 'Also deletes the project',
};

/** Who belongs to the project, and as what. */
export default function Members({ project }: { project: string }) {
  const path = { projectId: project };
  const admin = may('admin', project);
  // Whoever has just left sees this page until the next one is there.
  const mine = projects.value?.find(each => each.id === project)?.role ?? 'viewer';
  const members = useLoad(signal => ok(api.GET('/api/v1/projects/{projectId}/members', { params: { path }, signal })), [project]);
  const invitations = useLoad(async signal => admin ? ok(api.GET('/api/v1/projects/{projectId}/invitations', { params: { path }, signal })) : [], [project, admin]);
  return (
    <>
      <Head title={t('Members')}>{admin && <Button primary icon={Plus} onClick={() => setQuery({ new: '1' })}>{t('Invite somebody')}</Button>}</Head>
      <div class="stack">
        <Refusal of={members.problem ?? invitations.problem} />
        <div class="card">
          <ul class="list">
            {members.data?.map(member => <Item key={member.userId} project={project} member={member} mine={mine} onChanged={members.reload} />)
              ?? Array.from({ length: 2 }, (_, index) => <li key={index}><span class="bone grow" /></li>)}
          </ul>
        </div>
        {invitations.data && invitations.data.length > 0 && (
          <section class="card">
            <header><h2>{t('Invited')}</h2></header>
            <ul class="list">{invitations.data.map(invitation => <Invited key={invitation.id} project={project} invitation={invitation} onChanged={invitations.reload} />)}</ul>
          </section>
        )}
      </div>
      {filter('new') && admin && <Invite project={project} mine={mine} onClose={() => setQuery({ new: null })} onDone={invitations.reload} />}
    </>
  );
}

function Item({ project, member, mine, onChanged }: { project: string; member: Member; mine: Role; onChanged: () => void }) {
  const [asking, setAsking] = useState(false);
  const [asked, setAsked] = useState<Role>();
  const act = useAct();
  const me = member.userId === person.value?.id;
  const above = !rolesUpTo(mine).includes(member.role);
  const mayChange = may('admin', project) && !above;
  const path = { projectId: project, userId: member.userId };
  const change = (role: string) => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}/members/{userId}', { params: { path }, body: { role } }));
    setAsked(undefined);
    onChanged();
    if (me) await refreshProjects();
  });
  const remove = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/projects/{projectId}/members/{userId}', { params: { path } }));
    setAsking(false);
    if (me) { await refreshProjects(); go('/'); } else onChanged();
  });
  return (
    <li>
      <span class="badge-letter">{member.email.slice(0, 1).toUpperCase()}</span>
      <span class="grow"><strong class="anywhere">{member.email}</strong>{me && <span class="quiet"> · {t('you')}</span>}<span class="quiet small" style={{ display: 'block' }}>{t(meanings[member.role])}</span>{!asking && !asked && <Refusal of={act.problem} />}</span>
      {mayChange
        ? <Select label={t('Role of {name}', { name: member.email })} unseenLabel value={asked ?? member.role} onInput={role => { if (me) setAsked(role as Role); else void change(role); }} options={rolesUpTo(mine).map(role => ({ value: role, label: t(roleWords[role]) }))} />
        : <span>{t(roleWords[member.role])}</span>}
      {(mayChange || me) && <Button plain icon={Trash2} label={me ? t('Leave the project') : t('Remove {name}', { name: member.email })} onClick={() => setAsking(true)} />}
      {asked && (
        <Confirm title={t('Change your own role to {role}?', { role: t(roleWords[asked]) })} action={t('Change')} act={act} onConfirm={() => void change(asked)} onClose={() => setAsked(undefined)}>
          {t(meanings[asked])}. {t('Only somebody else can give you back what you give up.')}
        </Confirm>
      )}
      {asking && (
        <Confirm title={me ? t('Leave the project?') : t('Remove {name}?', { name: member.email })} action={me ? t('Leave') : t('Remove')} act={act} onConfirm={() => void remove()} onClose={() => setAsking(false)}>
          {me ? t('You see nothing of it any more until somebody invites you again.') : t('They see nothing of this project any more, from now on.')}
        </Confirm>
      )}
    </li>
  );
}

function Invited({ project, invitation, onChanged }: { project: string; invitation: Schemas['Invitation']; onChanged: () => void }) {
  const act = useAct();
  const takeBack = () => act.run(async () => {
    await ok(api.DELETE('/api/v1/projects/{projectId}/invitations/{id}', { params: { path: { projectId: project, id: invitation.id } } }));
    onChanged();
  });
  return (
    <li>
      <span class="grow"><strong class="anywhere">{invitation.email}</strong><span class="quiet small" style={{ display: 'block' }}>{t(roleWords[invitation.role])} · {t('expires')} <Time at={invitation.expiresAt} /></span><Refusal of={act.problem} /></span>
      <Button busy={act.busy} onClick={() => void takeBack()}>{t('Withdraw')}</Button>
    </li>
  );
}

function Invite({ project, mine, onClose, onDone }: { project: string; mine: Role; onClose: () => void; onDone: () => void }) {
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<string>('viewer');
  const [link, setLink] = useState<string>();
  const act = useAct();
  const invite = () => act.run(async () => {
    setLink((await ok(api.POST('/api/v1/projects/{projectId}/members', { params: { path: { projectId: project } }, body: { email, role } }))).url);
    onDone();
  });
  if (link !== undefined) {
    return (
      <Once title={t('Invitation')} done={t('Done')} onClose={onClose}>
        <Notice kind="info">{t('Send this link to {email}. It works once, for a week, and is shown only now.', { email })}</Notice>
        <Copy text={link} what={t('Link')} whole />
      </Once>
    );
  }
  return (
    <Dialog title={t('Invite somebody')} firm={act.busy} onClose={onClose} onSubmit={() => void invite()} actions={<Button primary submit busy={act.busy}>{t('Create invitation')}</Button>}>
      <Field label={t('E-mail address')} type="email" value={email} onInput={setEmail} required autofocus />
      <Select label={t('Role')} value={role} onInput={setRole} options={rolesUpTo(mine).map(each => ({ value: each, label: `${t(roleWords[each])} – ${t(meanings[each])}` }))} />
      <Refusal of={act.problem} />
    </Dialog>
  );
}
