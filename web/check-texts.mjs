// Refuses texts of the pages that a language lacks, has for nothing, or has with other holes than English: the build runs this.
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('src/texts/', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
const english = read('en.json');
const problems = [];
for (const name of readdirSync(folder)) {
  const texts = read(name);
  for (const key of new Set([...Object.keys(english), ...Object.keys(texts)])) {
    if (!(key in texts)) problems.push(`${name} lacks "${key}"`);
    else if (!(key in english)) problems.push(`${name} has "${key}", which English has not`);
    else if (holes(texts[key]) !== holes(english[key])) problems.push(`${name}: "${key}" must have the holes of English: ${holes(english[key])}`);
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
