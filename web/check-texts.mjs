// Refuses texts of the pages and of the widget that a language lacks, has for nothing, or has with other holes than English: the build runs this.
import { readdirSync, readFileSync } from 'node:fs';

const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
const problems = [];
for (const folder of ['src/texts/', 'widget/src/texts/']) {
  const read = (name) => JSON.parse(readFileSync(new URL(folder + name, import.meta.url), 'utf8'));
  const english = read('en.json');
  for (const name of readdirSync(new URL('src/texts/', import.meta.url))) {
    const texts = read(name);
    for (const key of new Set([...Object.keys(english), ...Object.keys(texts)])) {
      if (!(key in texts)) problems.push(`${folder}${name} lacks "${key}"`);
      else if (!(key in english)) problems.push(`${folder}${name} has "${key}", which English has not`);
      else if (holes(texts[key]) !== holes(english[key])) problems.push(`${folder}${name}: "${key}" must have the holes of English: ${holes(english[key])}`);
    }
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
