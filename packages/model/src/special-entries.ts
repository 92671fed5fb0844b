/** Finds entries that stand for themselves in a text: leftmost first, the longest where several begin. */
import { ENTRY_TYPE, type Vocabulary } from './vocabulary.js';

/** A stretch of text, or an entry found in it. */
export type TextPart = { readonly text: string } | { readonly id: number };

/** Cuts a text around its special entries. */
export type SpecialFinder = (text: string) => readonly TextPart[];

/** Finder of entries of the given types; text without any comes back whole. */
export function createSpecialFinder(
  vocabulary: Vocabulary,
  types: readonly number[],
): SpecialFinder {
  const ids = new Map<string, number>();
  vocabulary.entries.forEach((entry, id) => {
    if (types.includes(vocabulary.types[id]!) && entry !== '') ids.set(entry, id);
  });
  if (ids.size === 0) return (text) => (text === '' ? [] : [{ text }]);
  const longestFirst = [...ids.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(escapePattern).join('|'), 'gu');
  return (text) => {
    const parts: TextPart[] = [];
    let from = 0;
    for (const match of text.matchAll(pattern)) {
      if (match.index > from) parts.push({ text: text.slice(from, match.index) });
      parts.push({ id: ids.get(match[0])! });
      from = match.index + match[0].length;
    }
    if (from < text.length) parts.push({ text: text.slice(from) });
    return parts;
  };
}

/** Finder of control and user-defined entries: what a trusted writer may use. */
export const findAllSpecials = (vocabulary: Vocabulary): SpecialFinder =>
  createSpecialFinder(vocabulary, [ENTRY_TYPE.control, ENTRY_TYPE.userDefined]);

/** Finder of user-defined entries: vocabulary that anybody may use, such as runs of spaces. */
export const findUserDefined = (vocabulary: Vocabulary): SpecialFinder =>
  createSpecialFinder(vocabulary, [ENTRY_TYPE.userDefined]);

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
