import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';
import { defineConfig } from 'vite';

const served = '../src/Apertur.Server/wwwroot/widget';

// One file, for npm and for the server, which has it at an address that stays.
const serve = {
  name: 'serve-widget',
  closeBundle() {
    const script = readFileSync('widget/dist/widget.js');
    mkdirSync(served, { recursive: true });
    writeFileSync(`${served}/v1.js`, script);
    writeFileSync(`${served}/v1.js.br`, brotliCompressSync(script));
  },
};

export default defineConfig({
  logLevel: 'warn',
  plugins: [serve],
  build: {
    outDir: 'widget/dist',
    emptyOutDir: true,
    lib: { entry: 'widget/src/widget.ts', formats: ['es'], fileName: 'widget' },
    minify: true,
    // Style sheets that are constructed and elements that belong to forms: browsers since the spring of 2023.
    target: ['es2022', 'safari16.4', 'chrome99', 'firefox101'],
  },
});
