/** Looks at the chain again and again, one look at a time; a look that fails is logged and tried again. */
import type { Logger } from '../log.js';

export type LookLoop = {
  /** Ends when the current look has ended. */
  readonly stop: () => Promise<void>;
};

export type LookLoopOptions = {
  /** What is looked at, for the log. */
  readonly name: string;
  readonly log: Logger;
  /** Between two looks. */
  readonly intervalMs: number;
};

export function startLookLoop(look: () => Promise<void>, options: LookLoopOptions): LookLoop {
  const { name, log, intervalMs } = options;
  let stopped = false;
  let current: Promise<void> = Promise.resolve();
  const loop = (): void => {
    current = look()
      .catch((error: unknown) => log.warn({ error: String(error) }, `${name}: trying again`))
      .finally(() => {
        if (!stopped) timer = setTimeout(loop, intervalMs);
      });
  };
  let timer = setTimeout(loop, 0);
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
