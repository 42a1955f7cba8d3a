import { useEffect, useState } from 'preact/hooks';
import { Button } from '../design/Button';
import { Field } from '../design/Field';
import { Refusal } from '../design/Notice';
import { api, ok, type Schemas } from './api/client';
import { changes } from './changes';
import { useAct } from './load';
import { toast } from './state';
import { t } from './text';

type Project = Schemas['Project'];
type Scheme = readonly [accent: string, onAccent: string];

const ownAccent = '#0b6b5a';

/** What people who send photos see of whose pages they are on. */
export function Branding({ project, onSaved }: { project: Project; onSaved: () => void }) {
  const saved = project.branding;
  const [name, setName] = useState(saved.name ?? '');
  const [accent, setAccent] = useState(saved.accent ?? '');
  const [url, setUrl] = useState(saved.returnUrl ?? '');
  const [logo, setLogo] = useState(saved.logo);
  const act = useAct();
  const wrong = act.problem?.fields ?? new Map<string, string>();
  const orNull = (text: string) => text.trim() === '' ? null : text.trim();
  const save = () => act.run(async () => {
    await ok(api.PATCH('/api/v1/projects/{projectId}', {
      params: { path: { projectId: project.id } },
      body: { branding: changes(saved, { name: orNull(name), logo, accent: orNull(accent), returnUrl: orNull(url) }) },
    }));
    toast(t('Saved'));
    onSaved();
  });
  const pick = (files: FileList | null) => {
    const [file] = files ?? [];
    if (file === undefined) return;
    const reader = new FileReader();
    reader.onload = () => setLogo(reader.result as string);
    reader.readAsDataURL(file);
  };
  return (
    <form class="card" onSubmit={event => { event.preventDefault(); void save(); }}>
      <header><div><h2>{t('Branding')}</h2><p>{t('How the pages look that people send photos on.')}</p></div></header>
      <div class="body stack">
        <div class="fields">
          <Field label={t('Name on the page')} value={name} onInput={setName} maxLength={200} placeholder={project.name} wrong={wrong.get('branding.name')} />
          <Field label={t('Colour')} value={accent} onInput={setAccent} maxLength={7} placeholder={ownAccent} hint={t('Six hex digits. It is made darker or lighter where it could not be read.')} wrong={wrong.get('branding.accent')} />
          <Field label={t('Where a link leads after Done')} type="url" value={url} onInput={setUrl} placeholder="https://" wrong={wrong.get('branding.returnUrl')} />
          <div class="field">
            <label for="logo">{t('Logo')}</label>
            <input id="logo" class="input" type="file" accept="image/png,image/svg+xml,.svg" onInput={event => pick(event.currentTarget.files)} aria-describedby="logo-about" aria-invalid={wrong.has('branding.logo')} />
            <span id="logo-about" class={wrong.has('branding.logo') ? 'wrong' : 'hint'}>{wrong.get('branding.logo') ?? t('PNG or SVG, at most 200 kB.')}</span>
            {logo !== null && <Button onClick={() => setLogo(null)}>{t('Remove the logo')}</Button>}
          </div>
        </div>
        <Preview name={name.trim() || project.name} logo={logo} accent={accent} />
        <Refusal of={act.problem} />
      </div>
      <footer><Button primary submit busy={act.busy}>{t('Save')}</Button></footer>
    </form>
  );
}

/** The server says what it makes of a colour, in the style sheet that the pages get. */
function Preview({ name, logo, accent }: { name: string; logo: string | null; accent: string }) {
  const [schemes, setSchemes] = useState<readonly Scheme[]>([]);
  const hex = /^#?([0-9a-f]{6}|[0-9a-f]{3})$/i.exec(accent.trim() || ownAccent)?.[1];
  useEffect(() => {
    if (hex === undefined) return;
    const end = new AbortController();
    fetch(`/accents/${hex.toLowerCase()}.css`, { signal: end.signal }).then(response => response.text()).then(css => {
      setSchemes([...css.matchAll(/--accent:(#\w+);--on-accent:(#\w+)/g)].slice(0, 2).map(([, shown, text]) => [shown!, text!]));
    }).catch(() => { /* It stays as it was. */ });
    return () => end.abort();
  }, [hex]);
  return (
    <div class="fields" role="group" aria-label={t('Preview')}>
      {schemes.map(([shown, text], index) => {
        const dark = index === 1;
        return (
          <div key={index} class="brand-preview" style={{ background: dark ? '#111514' : '#f6f7f5', color: dark ? '#e7ecea' : '#1b2220' }}>
            <p>{logo !== null && <img src={logo} alt="" />} <bdi>{name}</bdi></p>
            <span class="brand-button" style={{ background: shown, color: text }}>{dark ? t('Dark') : t('Light')}</span>
            <span style={{ color: shown }}>✓ {t('Received')}</span>
          </div>
        );
      })}
    </div>
  );
}
