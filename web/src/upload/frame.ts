import type { Received } from './attempt';

type Message =
  | { type: 'apertur:image:received'; data: Received }
  | { type: 'apertur:session:complete'; data: { sessionId: string } }
  | { type: 'apertur:error'; data: { message: string } };

/** Tells the page that frames this one, if any. Any site may frame it, and it holds the link already: so any origin may hear. */
export function tellParent(message: Message): void {
  if (window.parent !== window) window.parent.postMessage(message, '*');
}
