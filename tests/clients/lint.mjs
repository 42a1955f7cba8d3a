// Lints the API document with Redocly's recommended rules.
// Input on standard input: { document }. Output: the problems.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Readable } from 'node:stream';

const { document } = JSON.parse(Buffer.concat(await Readable.from(process.stdin).toArray()));
const { stdout, stderr } = spawnSync(
  process.execPath,
  [join(import.meta.dirname, 'node_modules/@redocly/cli/bin/cli.js'), 'lint', document, '--format=json'],
  { encoding: 'utf8', env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
);
if (!stdout.startsWith('{')) throw new Error(stdout + stderr);
console.log(JSON.stringify(JSON.parse(stdout).problems.map(({ ruleId, message, location }) => ({ ruleId, message, at: location[0]?.pointer }))));
