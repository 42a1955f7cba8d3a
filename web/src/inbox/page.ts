import { copyText } from '../design/clipboard';
import './page.css';

const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** The server writes instants in UTC; whoever looks at this page thinks in local time. */
function showLocalTimes(within: ParentNode): void {
  for (const element of within.querySelectorAll('time')) element.textContent = time.format(new Date(element.dateTime));
}

/** Takes over what the server's newest page has and this one has not, so that pictures already shown stay as they are. */
async function refresh(): Promise<void> {
  const response = await fetch('/');
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
  const list = document.getElementById('photos');
  const arrived = [...fresh.querySelectorAll('#photos > li')].filter(item => document.getElementById(item.id) === null);
  for (const item of arrived) showLocalTimes(item);
  list?.prepend(...arrived.map(item => document.adoptNode(item)));
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const { textContent } = button;
  button.textContent = await copyText(button.dataset['copy'] ?? '') ? 'Copied' : 'Cannot copy';
  setTimeout(() => { button.textContent = textContent; }, 1500);
}

showLocalTimes(document);
// Reconnects by itself when the demo was restarted, and each connection begins with one event.
new EventSource('/events').addEventListener('changed', () => void refresh());
document.addEventListener('click', event => {
  const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>('button[data-copy]') : null;
  if (button !== null) void copy(button);
});
