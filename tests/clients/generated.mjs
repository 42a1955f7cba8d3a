// Generates a client from the API document, compiles a program against it, and runs that.
// Input on standard input: { generator, document, folder, arguments }. Output: what the program printed.
import { execFileSync } from 'node:child_process';
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';

const input = JSON.parse(Buffer.concat(await Readable.from(process.stdin).toArray()));
const generators = {
  'openapi-typescript': (to) => ['openapi-typescript/bin/cli.js', input.document, '-o', to],
  oazapfts: (to) => ['oazapfts/dist/cli.js', '--optimistic', input.document, to],
};
const here = import.meta.dirname;
const run = (script, ...rest) => execFileSync(process.execPath, [join(here, 'node_modules', script), ...rest], { cwd: input.folder, stdio: 'pipe' });

// Modules are looked for beside the program.
symlinkSync(join(here, 'node_modules'), join(input.folder, 'node_modules'));
writeFileSync(join(input.folder, 'package.json'), '{ "type": "module" }');
copyFileSync(join(here, 'generated', `${input.generator}.ts`), join(input.folder, `${input.generator}.ts`));
try {
  run(...generators[input.generator](join(input.folder, `${input.generator}.gen.ts`)));
  run('typescript/bin/tsc', '--strict', '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--types', 'node', `${input.generator}.ts`);
} catch (error) {
  console.error(`${error.stdout}\n${error.stderr}`);
  process.exit(1);
}

process.stdout.write(execFileSync(process.execPath, [`${input.generator}.js`, ...input.arguments], { cwd: input.folder }));
