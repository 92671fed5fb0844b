/**
 * Fake time, in seconds: a queue of what happens when. Nothing waits, and equal times keep the order in which they
 * were asked for.
 */

type Entry = { readonly at: number; readonly order: number; readonly run: () => void };

export type Clock = {
  readonly now: () => number;
  /** Runs something at a time that is not past. */
  readonly at: (at: number, run: () => void) => void;
  /** Runs everything up to and at `until`. */
  readonly runUntil: (until: number) => void;
};

export function createClock(): Clock {
  const heap: Entry[] = [];
  let now = 0;
  let count = 0;
  return {
    now: () => now,
    at: (at, run) => push(heap, { at: Math.max(at, now), order: count++, run }),
    runUntil(until) {
      for (let next = heap[0]; next !== undefined && next.at <= until; next = heap[0]) {
        pop(heap);
        now = next.at;
        next.run();
      }
      now = until;
    },
  };
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Entry[], entry: Entry): void {
  let i = heap.length;
  heap.push(entry);
  for (let up = (i - 1) >> 1; i > 0 && isBefore(entry, heap[up]!); up = (i - 1) >> 1) {
    heap[i] = heap[up]!;
    i = up;
  }
  heap[i] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, last)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
}
