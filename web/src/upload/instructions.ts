import { make } from './dom';

/** The same as `Instructions.cs` makes, for sessions whose password stands before them. */
export function render(text: string): HTMLElement[] {
  return text.replace(/\r\n?/g, '\n').split('\n\n').flatMap(block => {
    const lines = block.split('\n').map(line => line.trim()).filter(line => line !== '');
    const made: HTMLElement[] = [];
    for (let at = 0; at < lines.length;) {
      const isList = isItem(lines[at]!);
      const start = at;
      while (at < lines.length && isItem(lines[at]!) === isList) at++;
      const run = lines.slice(start, at);
      made.push(isList
        ? make('ul', {}, ...run.map(line => make('li', {}, ...words(line.slice(2)))))
        : make('p', {}, ...words(run.join(' '))));
    }
    return made;
  });
}

const isItem = (line: string): boolean => line.startsWith('- ');

function words(text: string): Node[] {
  const parts = text.split('**');
  return parts.map((part, at) => {
    if (at % 2 === 0) return new Text(part);
    return at === parts.length - 1 ? new Text(`**${part}`) : make('strong', { textContent: part });
  });
}
