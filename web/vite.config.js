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

export default defineConfig({
  logLevel: 'warn',
  plugins: [compressed],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: out,
    emptyOutDir: true,
    manifest: 'manifest.json',
    // Phones that people still carry: iOS 14, Android with Chrome 87. Older ones get the page without script.
    target: ['es2020', 'safari14', 'chrome87', 'firefox78'],
    modulePreload: false,
    rolldownOptions: {
      input: {
        upload: 'src/upload/page.ts', inbox: 'src/inbox/page.ts', account: 'src/account/page.ts', dashboard: 'src/dashboard/main.tsx',
      },
    },
  },
});
