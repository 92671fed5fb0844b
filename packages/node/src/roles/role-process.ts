/**
 * How a role lives as a process: it says on standard output when it is ready, stops in order on a signal, and dies with
 * the process that started it (a role must never outlive its supervisor and hold its port).
 */
import type { Logger } from '../log.js';

/** Time a role has to stop in order before it is ended. */
const STOP_TIMEOUT_MS = 5_000;

/** Said once, as one line of JSON; the supervisor reads it. */
export type ReadyLine = { readonly ready: string; readonly [field: string]: unknown };

export type RunningRole = { readonly ready: ReadyLine; readonly close: () => Promise<void> };

/** Says the ready line and keeps the process until it is told to stop. */
export async function keepRole(role: RunningRole, log: Logger): Promise<void> {
  const stop = stopOnce(role, log);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (process.send !== undefined) process.on('disconnect', stop);
  process.stdout.write(`${JSON.stringify(role.ready)}\n`);
  await new Promise<never>(() => {});
}

function stopOnce(role: RunningRole, log: Logger): () => void {
  let stopping = false;
  return () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    role.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ error: String(error) }, 'could not stop in order');
        process.exit(1);
      },
    );
  };
}
