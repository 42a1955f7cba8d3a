/**
 * The fields of a form that are not as they were when it was opened. Saving sends these alone: what somebody else has changed meanwhile, in
 * fields that this form only showed, stays.
 */
export function changes<T extends object>(before: T, now: T): Partial<T> {
  const differs = ([name, value]: [string, unknown]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof T]);
  return Object.fromEntries(Object.entries(now).filter(differs)) as Partial<T>;
}
