import {
  Activity, ChevronsUpDown, CircleUser, Images, KeyRound, LayoutDashboard, LogOut, Menu as MenuIcon, Plus, QrCode, ScrollText, Search, Send, Server, Settings,
  Users, Webhook, X,
} from 'lucide';
import type { IconNode } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../design/Button';
import { Icon } from '../design/Icon';
import { Menu } from '../design/Menu';
import { signOut } from './api/session';
import { Palette } from './Palette';
import { go, path } from './router';
import { env, lastProject, may, person, projects, toast, type Role } from './state';
import { t, type Words } from './text';

interface Place { readonly words: Words; readonly icon: IconNode; readonly to: string; readonly role?: Role }

export const places: readonly Place[] = [
  { words: 'Home', icon: LayoutDashboard, to: '' },
  { words: 'Sessions', icon: QrCode, to: '/sessions' },
  { words: 'Photos', icon: Images, to: '/uploads' },
  { words: 'Destinations', icon: Send, to: '/destinations' },
];

export const settingPlaces: readonly Place[] = [
  { words: 'API keys', icon: KeyRound, to: '/keys' },
  { words: 'Event webhooks', icon: Webhook, to: '/webhooks' },
  { words: 'Members', icon: Users, to: '/members' },
  { words: 'Audit log', icon: ScrollText, to: '/audit', role: 'admin' },
  { words: 'Settings', icon: Settings, to: '/settings' },
];

/** The frame of every page: where one is, where one can go, and who one is. */
export function Shell({ project: shown, children }: { project: string | undefined; children: ComponentChildren }) {
  const [menu, setMenu] = useState(false);
  const [palette, setPalette] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'k' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        // It leads elsewhere, and what is shown once would be gone.
        if (!document.querySelector('dialog[data-firm]')) setPalette(open => !open);
      } else if (event.key === 'Escape') setMenu(false);
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  useEffect(() => { setMenu(false); setPalette(false); }, [path.value]);
  useEffect(() => { if (shown !== undefined) lastProject.value = shown; }, [shown]);
  // What belongs to no project, such as the person's own account, leaves the way back in sight; the list of all projects leaves them all.
  const project = shown ?? (path.value === '/' ? undefined : projects.value?.find(each => each.id === lastProject.value)?.id);

  return (
    <div class={menu ? 'frame menu-open' : 'frame'}>
      <a class="button primary skip" href="#main">{t('Skip to the page')}</a>
      <header class="top">
        <Button plain icon={menu ? X : MenuIcon} label={t('Menu')} onClick={() => setMenu(!menu)} />
        <span class="clip">{projects.value?.find(each => each.id === project)?.name ?? 'Apertur'}</span>
        <Button plain icon={Search} label={t('Search')} onClick={() => setPalette(true)} />
      </header>
      <aside class="side" aria-label={t('Menu')}>
        <a class="brand" href="/"><Mark />Apertur</a>
        <ProjectMenu project={project} />
        <button type="button" class="button finder" onClick={() => setPalette(true)}><Icon of={Search} />{t('Search')}<kbd>Ctrl K</kbd></button>
        {project !== undefined && (
          <>
            <Places project={project} places={places} label={t('Project')} />
            <h2>{t('Project')}</h2>
            <Places project={project} places={settingPlaces} label={t('Settings')} />
          </>
        )}
        <div class="foot">
          {project !== undefined && (
            <label class="check small quiet">
              <input type="checkbox" checked={env.value === 'test'} onInput={event => { env.value = event.currentTarget.checked ? 'test' : 'live'; }} />
              {t('Show test data')}
            </label>
          )}
          <Menu placement="up left" label={t('Account')}
            trigger={<><Icon of={CircleUser} /><span class="clip">{person.value?.email}</span></>}
            items={[
              { label: t('Your account'), icon: CircleUser, href: '/account' },
              { label: t('All projects'), icon: Activity, href: '/' },
              ...(person.value?.isOperator === true ? [{ label: t('Administration'), icon: Server, href: '/admin' }] : []),
              { label: t('Sign out'), icon: LogOut, onClick: () => void signOut().catch(() => toast(t('You could not be signed out. Try again.'), 'bad')) },
            ]} />
        </div>
      </aside>
      {menu && <div class="veil" aria-hidden="true" onClick={() => setMenu(false)} />}
      <div>
        {env.value === 'test' && shown !== undefined && <p class="banner">{t('You are looking at test data.')}</p>}
        <main id="main" class="page" tabIndex={-1}>{children}</main>
      </div>
      {palette && <Palette project={project} onClose={() => setPalette(false)} />}
    </div>
  );
}

function Places({ project, places, label }: { project: string; places: readonly Place[]; label: string }) {
  return (
    <nav aria-label={label}>
      {places.filter(place => place.role === undefined || may(place.role, project)).map(({ words, icon, to }) => {
        const href = `/p/${project}${to}`;
        const here = to === '' ? path.value === href : path.value === href || path.value.startsWith(`${href}/`);
        return <a key={to} href={href} aria-current={here ? 'page' : undefined}><Icon of={icon} />{t(words)}</a>;
      })}
    </nav>
  );
}

function ProjectMenu({ project }: { project: string | undefined }) {
  const all = projects.value ?? [];
  const here = all.find(each => each.id === project);
  return (
    <Menu placement="left" label={t('Choose a project')}
      trigger={<><span class="badge-letter">{(here?.name ?? '·').slice(0, 1).toUpperCase()}</span><span class="clip grow" style={{ textAlign: 'left' }}>{here?.name ?? t('Choose a project')}</span><Icon of={ChevronsUpDown} /></>}
      items={[
        ...all.slice(0, 12).map(({ id, name }) => ({ label: name, href: `/p/${id}` })),
        { label: t('New project'), icon: Plus, onClick: () => go('/?new=1') },
      ]} />
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="8" fill="var(--accent)" /><circle cx="8" cy="8" r="3.5" fill="none" stroke="var(--on-accent)" stroke-width="2" />
    </svg>
  );
}
