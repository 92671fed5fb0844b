/** So many at once, in the order they came; whoever only waits gives its place away and asks for another. */

export type Slots = {
  /** Resolves when there is a place. */
  readonly take: () => Promise<void>;
  readonly give: () => void;
};

export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  return {
    async take() {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    give() {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    },
  };
}
