import { CircleUser, FolderOpen, Image, Plus, QrCode, Search, Send, Webhook, type IconNode } from 'lucide';
import { useEffect, useId, useLayoutEffect, useState } from 'preact/hooks';
import { useModal } from '../design/Dialog';
import { Icon } from '../design/Icon';
import { api, ok } from './api/client';
import { useLoad } from './load';
import { go } from './router';
import { places, settingPlaces } from './Shell';
import { env, may, projects } from './state';
import { t } from './text';

interface Found { readonly label: string; readonly kind: string; readonly icon: IconNode; readonly to: string }

/** Anything by a few letters of its name: places, projects, what a project sends to, sessions and photos. */
export function Palette({ project, onClose }: { project: string | undefined; onClose: () => void }) {
  const dialog = useModal();
  const [words, setWords] = useState('');
  const [answer, setAnswer] = useState<{ readonly words: string; readonly found: readonly Found[] }>();
  const [chosen, choose] = useState<string>();
  const id = useId();
  const receivers = useLoad(signal => project === undefined ? Promise.resolve([]) : receiversOf(project, signal), [project]).data ?? [];
  useEffect(() => {
    const end = new AbortController();
    const soon = setTimeout(() => {
      if (words.trim().length >= 2) search(words.trim(), end.signal).then(things => setAnswer({ words, found: things }), () => {});
    }, 200);
    return () => { clearTimeout(soon); end.abort(); };
  }, [words]);

  const fits = (each: Found) => each.label.toLowerCase().includes(words.trim().toLowerCase());
  const things = answer?.words === words ? answer.found : [];
  const found = [
    ...fixed(project).filter(fits).slice(0, words === '' ? 20 : 6), ...(words.trim() === '' ? [] : receivers.filter(fits).slice(0, 5)), ...things,
  ];
  const at = Math.max(0, found.findIndex(each => each.to === chosen));
  const highlighted = found[at];
  // It stays so when what arrives later is put before it: whoever presses Enter means what they see.
  useLayoutEffect(() => choose(highlighted?.to));
  const open = (one: Found | undefined) => { if (one) { onClose(); go(one.to); } };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      choose(found[(at + step + found.length) % Math.max(1, found.length)]?.to);
    } else if (event.key === 'Enter') {
      // What gets the focus back now must not be pressed by the same key.
      event.preventDefault();
      open(highlighted);
    }
  };
  useEffect(() => { document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: 'nearest' }); }, [at]);
  return (
    <dialog ref={dialog} class="dialog palette" aria-label={t('Search')} onCancel={event => { event.preventDefault(); onClose(); }}
      onMouseDown={event => { if (event.target === dialog.current) onClose(); }}>
      <div class="search">
        <Icon of={Search} />
        <input class="input" type="text" role="combobox" aria-expanded="true" aria-controls={`${id}-list`} aria-activedescendant={found.length > 0 ? `${id}-${at}` : undefined} aria-label={t('Search')}
          placeholder={t('Session, photo, project or page')} value={words} autofocus
          onInput={event => { setWords(event.currentTarget.value); choose(undefined); }} onKeyDown={onKeyDown} />
      </div>
      <ul role="listbox" id={`${id}-list`} aria-label={t('Found')}>
        {found.map((one, index) => (
          <li key={one.to} id={`${id}-${index}`} role="option" aria-selected={index === at} onMouseMove={() => choose(one.to)} onClick={() => open(one)}>
            <Icon of={one.icon} /><span class="clip">{one.label}</span><span class="quiet small">{one.kind}</span>
          </li>
        ))}
        {found.length === 0 && <li role="option" aria-selected="false" class="quiet">{t('Nothing found')}</li>}
      </ul>
    </dialog>
  );
}

function fixed(project: string | undefined): readonly Found[] {
  const here = project === undefined ? [] : [...places, ...settingPlaces].filter(place => place.role === undefined || may(place.role, project))
    .map(({ words, icon, to }) => ({ label: t(words), kind: t('Page'), icon, to: `/p/${project}${to}` }));
  const make = project !== undefined && may('developer', project) ? [{ label: t('New session'), kind: t('Create'), icon: Plus, to: `/p/${project}/sessions?new=1` }] : [];
  return [
    ...here, ...make,
    ...(projects.value ?? []).filter(each => each.id !== project).map(({ id, name }) => ({ label: name, kind: t('Project'), icon: FolderOpen, to: `/p/${id}` })),
    { label: t('Your account'), kind: t('Page'), icon: CircleUser, to: '/account' },
  ];
}

async function search(q: string, signal: AbortSignal): Promise<readonly Found[]> {
  const query = { q, pageSize: 5, env: env.value };
  const [sessions, uploads] = await Promise.all([
    ok(api.GET('/api/v1/sessions', { params: { query }, signal })), ok(api.GET('/api/v1/uploads', { params: { query }, signal })),
  ]);
  return [
    ...sessions.data.map(each => ({ label: each.label ?? each.id, kind: t('Session'), icon: QrCode, to: `/p/${each.projectId}/sessions/${each.id}` })),
    ...uploads.data.map(each => ({ label: each.filename, kind: t('Photo'), icon: Image, to: `/p/${each.projectId}/uploads/${each.id}` })),
  ];
}

/** Destinations and event webhooks, which are few; a webhook is called by its address. */
async function receiversOf(projectId: string, signal: AbortSignal): Promise<readonly Found[]> {
  const params = { path: { projectId } };
  const [destinations, webhooks] = await Promise.all([
    ok(api.GET('/api/v1/projects/{projectId}/destinations', { params, signal })), ok(api.GET('/api/v1/projects/{projectId}/webhooks', { params, signal })),
  ]);
  return [
    ...destinations.map(each => ({ label: each.name, kind: t('Destination'), icon: Send, to: `/p/${projectId}/destinations/${each.id}` })),
    ...webhooks.map(each => ({ label: each.url, kind: t('Event webhook'), icon: Webhook, to: `/p/${projectId}/webhooks/${each.id}` })),
  ];
}
