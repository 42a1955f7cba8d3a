import { t, type Words } from './text';

const words: Readonly<Record<string, Words>> = {
  none: 'Nothing', location: 'Location', all: 'All metadata',
};

/** What is removed from photos. */
export const stripWords = (strip: string | null): string => t(words[strip ?? ''] ?? 'Nothing');

/** What may be chosen of it. */
export const strips = () => Object.keys(words).map(value => ({ value, label: stripWords(value) }));
