/** Finds stop strings in text that arrives in pieces, holding back just enough to never show half of one. */

export type StopFilter = {
  /** Text that is safe to show now, and whether a stop string was met (nothing is shown from it on). */
  readonly push: (text: string) => { readonly text: string; readonly stopped: boolean };
  /** Text held back at the end of the stream. */
  readonly flush: () => string;
};

export function stopFilter(stops: readonly string[]): StopFilter {
  let held = '';
  let stopped = false;
  return {
    push(text) {
      if (stopped) return { text: '', stopped };
      held += text;
      const found = firstIndexOf(held, stops);
      if (found >= 0) {
        const shown = held.slice(0, found);
        held = '';
        stopped = true;
        return { text: shown, stopped };
      }
      const keep = longestOverlap(held, stops);
      const shown = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return { text: shown, stopped };
    },
    flush() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

function firstIndexOf(text: string, stops: readonly string[]): number {
  const found = stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}

/** Length of the longest end of `text` that is a proper beginning of a stop string. */
function longestOverlap(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let size = Math.min(stop.length - 1, text.length); size > longest; size--) {
      if (text.endsWith(stop.slice(0, size))) longest = size;
    }
  }
  return longest;
}
