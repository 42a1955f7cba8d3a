/** Hands a file over to the browser's downloads. */
export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Has the browser itself download what is answered to a form: as much as a disk holds, where a script would need as much memory. In a frame of its
 * own, so that this page stays where it is: a refusal comes there as a document, a file does not.
 */
export function fetchToDisk(action: string, fields: Readonly<Record<string, string>>, onRefused: () => void): void {
  const name = 'download';
  document.querySelector(`iframe[name=${name}]`)?.remove();
  const frame = Object.assign(document.createElement('iframe'), { name, hidden: true });
  frame.addEventListener('load', () => {
    if (frame.contentDocument?.URL !== 'about:blank') onRefused();
  });
  const form = Object.assign(document.createElement('form'), { method: 'post', action, target: name, hidden: true });
  form.append(...Object.entries(fields).map(([key, value]) => Object.assign(document.createElement('input'), { type: 'hidden', name: key, value })));
  document.body.append(frame, form);
  form.submit();
  form.remove();
}
