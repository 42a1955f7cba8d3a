import { useComputed, useSignalEffect } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, ok, Problem } from './api/client';
import { token } from './api/session';
import { Notice, inWords } from '../design/Notice';
import { Toasts } from '../design/Toasts';
import { SignIn } from './pages/SignIn';
import { match, path, shownPath } from './router';
import { Shell } from './Shell';
import { language, may, person, projects, type Role } from './state';
import { loadWords } from './text';

/** What an address says; each page takes the parts that its pattern names. */
interface PageParts { readonly project: string; readonly id: string }

type PageModule = { default: ComponentType<PageParts> };

// One file a page, whose script comes when somebody goes there, and the least role that has something to do on it.
const pages: readonly (readonly [string, () => Promise<PageModule>, Role?])[] = [
  ['/p/:project', () => import('./pages/Home')],
  ['/p/:project/start', () => import('./pages/Start'), 'developer'],
  ['/p/:project/sessions', () => import('./pages/Sessions')],
  ['/p/:project/sessions/:id', () => import('./pages/Session')],
  ['/p/:project/uploads', () => import('./pages/Uploads')],
  ['/p/:project/uploads/:id', () => import('./pages/Upload')],
  ['/p/:project/destinations', () => import('./pages/Destinations')],
  ['/p/:project/destinations/:id', () => import('./pages/Destination')],
  ['/p/:project/keys', () => import('./pages/Keys')],
  ['/p/:project/webhooks', () => import('./pages/Webhooks')],
  ['/p/:project/webhooks/:id', () => import('./pages/Webhook')],
  ['/p/:project/members', () => import('./pages/Members')],
  ['/p/:project/settings', () => import('./pages/Settings')],
  ['/p/:project/audit', () => import('./pages/Audit'), 'admin'],
  ['/admin', () => import('./pages/Admin')],
  ['/admin/users', () => import('./pages/Admin')],
  ['/admin/projects', () => import('./pages/Admin')],
  ['/admin/settings', () => import('./pages/Admin')],
  ['/account', () => import('./pages/Account')],
  ['/', () => import('./pages/Projects')],
];

const notFound = () => import('./pages/NotFound');

export function App() {
  const [words, setWords] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  useSignalEffect(() => {
    void language.value;
    void loadWords().finally(() => setWords(true));
  });
  // Whoever was here before goes on without signing in.
  useEffect(() => { token().catch((error: unknown) => { if (error instanceof Problem && error.status === 0) setProblem(error); }); }, []);
  const known = useComputed(() => person.value?.id);
  useEffect(() => {
    if (known.value === undefined) return;
    refreshProjects().then(() => setProblem(undefined), (error: unknown) => setProblem(error as Problem));
  }, [known.value]);

  if (!words) return null;
  if (problem) return <main class="alone"><Notice kind="bad">{inWords(problem)}</Notice></main>;
  if (person.value === null) return <SignIn />;
  return <>{person.value === undefined || projects.value === undefined ? null : <Page />}<Toasts /></>;
}

/** Looks again which projects there are, and as what the person belongs to them. */
export async function refreshProjects(): Promise<void> {
  projects.value = (await ok(api.GET('/api/v1/me'))).projects;
}

/** The page of the address; the one before stays until its script is there. */
function Page() {
  const [shown, setShown] = useState<{ Content: ComponentType<PageParts>; parts: PageParts; path: string }>();
  const at = path.value;
  useEffect(() => {
    let gone = false;
    const [parts, load] = find(at);
    load().then(
      module => {
        if (gone) return;
        shownPath.value = at;
        setShown({ Content: module.default, parts, path: at });
      },
      // The server was updated meanwhile and has other files now.
      () => location.reload());
    return () => { gone = true; };
  }, [at]);
  useEffect(() => {
    if (!shown) return;
    scrollTo(0, 0);
    (document.querySelector<HTMLElement>('main > .head [autofocus]') ?? document.querySelector<HTMLElement>('main h1'))?.focus({ preventScroll: true });
  }, [shown?.path]);
  if (!shown) return null;
  return <Shell project={shown.parts.project}><shown.Content key={shown.path} {...shown.parts} /></Shell>;
}

function find(at: string): readonly [PageParts, () => Promise<PageModule>] {
  for (const [pattern, load, role] of pages) {
    const parts = match(pattern, at) as PageParts | null;
    if (parts === null) continue;
    if (pattern.startsWith('/admin') && person.value?.isOperator !== true) break;
    return [parts, parts.project === undefined || may(role ?? 'viewer', parts.project) ? load : notFound];
  }
  return [{} as PageParts, notFound];
}

