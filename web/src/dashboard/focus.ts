/**
 * Keeps the focus where something is: when the element that has it is taken out of the page, such as a row that was deleted or the button of a step
 * that is done, it goes to what stands in its place. Without that a keyboard would begin anew at the top of the page, and a screen reader fall silent.
 */

const able = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary';

/** What had the focus last, and where it stood: each of the elements around it, and its place among the children there. */
let last: { readonly element: Element; readonly around: readonly { readonly parent: Element; readonly place: number }[] } | undefined;

function remember(event: FocusEvent): void {
  const around = [];
  const element = event.target as Element;
  for (let child = element; child.parentElement; child = child.parentElement) {
    around.push({ parent: child.parentElement, place: [...child.parentElement.children].indexOf(child) });
  }
  last = { element, around };
}

function keep(): void {
  if (last === undefined || last.element.isConnected || (document.activeElement !== null && document.activeElement !== document.body)) return;
  const { parent, place } = last.around.find(each => each.parent.isConnected) ?? { parent: document.body, place: 0 };
  last = undefined;
  // The way through the page ends at its heading, and the way through a dialog in it.
  const end = document.querySelector('dialog[open]') ?? document.querySelector('main');
  const there = parent.children[place] ?? parent.lastElementChild;
  const near = parent !== end && end?.contains(parent) ? [...(there?.matches(able) ? [there] : []), ...(there?.querySelectorAll(able) ?? []), ...parent.querySelectorAll(able)] : [];
  const next = [...near, ...(end?.querySelectorAll('h1, footer .primary') ?? []), ...(end?.querySelectorAll(able) ?? [])] as HTMLElement[];
  next.find(element => element.checkVisibility())?.focus();
}

export function keepFocus(): void {
  addEventListener('focusin', remember);
  // What is drawn for one change is there together when this is called.
  new MutationObserver(keep).observe(document.body, { childList: true, subtree: true });
  // A ring around what a script gave the focus to is for those who go by keys.
  addEventListener('keydown', () => { document.documentElement.dataset['keys'] = ''; }, true);
  addEventListener('pointerdown', () => { delete document.documentElement.dataset['keys']; }, true);
}
