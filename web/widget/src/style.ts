const light = '--card:#fff;--ink:#1b2220;--quiet:#56605c;--line:#dde3df;--accent:var(--apertur-accent,#0b6b5a);--bad:#b3261e;--sunken:#eef1ee';
const pairs = [
  '--card:light-dark(#fff,#1b2120)', '--ink:light-dark(#1b2220,#e7ecea)', '--quiet:light-dark(#56605c,#9fa9a5)', '--line:light-dark(#dde3df,#313937)',
  '--accent:var(--apertur-accent,light-dark(#0b6b5a,#63cdb7))', '--bad:light-dark(#b3261e,#ff9187)', '--sunken:light-dark(#eef1ee,#151a19)',
].join(';');

/** Light or dark as the page around it is, by its `color-scheme`. Constructed, so that no policy of that page has to allow inline styles. */
const css = `
:host { display: block; ${light}; }
@supports (color: light-dark(red, red)) { :host { ${pairs}; } }
:host([hidden]) { display: none; }
:host([color-scheme=light]) { color-scheme: light; }
:host([color-scheme=dark]) { color-scheme: dark; }
[hidden] { display: none !important; }
.box { max-width: 28rem; padding: 1rem; border: 1px solid var(--line); border-radius: .75rem; background: var(--card); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; text-align: start; overflow-wrap: anywhere; }
p { margin: 0 0 .5rem; }
.title { font-weight: 600; }
.status { color: var(--quiet); }
.problem { color: var(--bad); }
a, summary { color: var(--accent); }
summary { cursor: pointer; width: fit-content; }
.qr { display: block; width: 12rem; height: 12rem; margin: .5rem 0; border-radius: .5rem; background: #fff; }
button { font: inherit; padding: .375rem .875rem; border: 1px solid var(--accent); border-radius: .5rem; background: none; color: var(--accent); cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); gap: .5rem; margin: .75rem 0 0; padding: 0; list-style: none; }
.tile { display: grid; place-items: center; aspect-ratio: 1; border-radius: .5rem; background: var(--sunken); color: var(--quiet); font-size: .875rem; overflow: hidden; }
.tile img { width: 100%; height: 100%; object-fit: cover; }
.name { display: block; color: var(--quiet); font-size: .8125rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

let sheet: CSSStyleSheet | null = null;

export function style(root: ShadowRoot): void {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  root.adoptedStyleSheets = [sheet];
}
