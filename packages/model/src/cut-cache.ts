/**
 * Remembers how texts were cut. A conversation is sent again with each of its turns, and a system message with each
 * conversation: nearly all of a request is text that was cut a moment ago.
 */
import type { TextCutter } from './byte-level-bpe.js';
import { CUT_CACHE_LENGTH_MAX, CUT_CACHE_TEXT_LENGTH_MAX } from './limits.js';

/** The same ids as `cutter`; texts used longest ago are forgotten first. */
export function withCutCache(
  cutter: TextCutter,
  lengthMax: number = CUT_CACHE_LENGTH_MAX,
): TextCutter {
  const known = new Map<string, readonly number[]>();
  let length = 0;
  const remember = (text: string, ids: readonly number[]): void => {
    known.set(text, ids);
    length += text.length;
    for (const oldest of known.keys()) {
      if (length <= lengthMax) return;
      known.delete(oldest);
      length -= oldest.length;
    }
  };
  return {
    ...cutter,
    cut(text) {
      if (text.length > CUT_CACHE_TEXT_LENGTH_MAX) return cutter.cut(text);
      const ids = known.get(text);
      if (ids === undefined) {
        const cut = cutter.cut(text);
        remember(text, cut);
        return cut;
      }
      known.delete(text);
      known.set(text, ids);
      return ids;
    },
  };
}
