import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';
import { defineConfig } from 'vite';

const out = '../src/Apertur.Server/wwwroot';

// Phones on bad networks wait for every kilobyte; the server hands out these files as they are and compresses nothing.
const compressed = {
  name: 'compressed-assets',
  closeBundle() {
    for (const name of readdirSync(`${out}/assets`)) {
      writeFileSync(`${out}/assets/${name}.br`, brotliCompressSync(readFileSync(`${out}/assets/${name}`)));
    }
  },
};

// Vite's own loads the styles of a part beside it, which no part here has; it is larger than some of the parts.
const helper = '\0vite/preload-helper.js';
const partsWithoutStyles = {
  name: 'parts-without-styles',
  enforce: 'pre',
  load: (id) => (id === helper ? 'export const __vitePreload = (load) => load();' : null),
  generateBundle(_, bundle) {
    for (const part of Object.values(bundle)) {
      if (part.isDynamicEntry && part.viteMetadata?.importedCss.size > 0) this.error(`${part.fileName} has styles, which nothing would load.`);
    }
  },
};

export default defineConfig({
  logLevel: 'warn',
  plugins: [partsWithoutStyles, compressed],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: out,
    emptyOutDir: true,
    manifest: 'manifest.json',
    // Phones that people still carry: iOS 14, Android with Chrome 88. Older ones get the page without script.
    target: ['es2020', 'safari14', 'chrome88', 'firefox82'],
    modulePreload: false,
    rolldownOptions: {
      input: {
        upload: 'src/upload/page.ts', inbox: 'src/inbox/page.ts', account: 'src/account/page.ts', pick: 'src/pick/page.ts',
        dashboard: 'src/dashboard/main.tsx',
      },
    },
  },
});
