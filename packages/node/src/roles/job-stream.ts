/** The events of a job on their way to its reader, whatever carries them: one line each, and a reader may leave. */
import type { Writable } from 'node:stream';
import { type AdmittedJob, computeErrors, loseJob, type Provider, streamJob } from '@assay/compute';
import { AssayError, encodeJson, type JobEvent } from '@assay/protocol';
import type { GatheredWrites } from '../gathered-writes.js';
import type { Logger } from '../log.js';

/** A job request is token ids, at most 131,072 of up to 7 characters each. */
export const JOB_BYTES_MAX = 2 * 1024 * 1024;

/** Time that `accepted` waits for the first tokens: on its own it only wakes the reader for nothing. */
const ACCEPTED_DELAY_MS = 20;

export type JobStreamOptions = {
  readonly provider: Provider;
  /** Jobs that may be admitted at once, running and waiting. */
  readonly queueMax: number;
  readonly log: Logger;
};

/** Where the events of a job go. */
export type JobReader = { readonly stream: Writable; readonly lines: GatheredWrites };

/** Throws `queue_full` when no more jobs are admitted. */
export function assertRoom({ provider, queueMax }: JobStreamOptions): void {
  if (provider.running.size >= queueMax) throw computeErrors.overloaded(provider.running.size);
}

/** Writes a line per event; true if the last was a receipt. A reader that goes away ends the job: see `streamJob`. */
export async function writeJob(
  { provider, log }: JobStreamOptions,
  admitted: AdmittedJob,
  { stream, lines }: JobReader,
): Promise<boolean> {
  const { jobId } = admitted;
  const events = streamJob(provider, admitted);
  const leave = (): void => {
    log.info({ jobId }, 'reader left');
    loseJob(provider, jobId);
    void events.return();
  };
  if (stream.destroyed) leave();
  else stream.once('close', leave);
  let last: JobEvent['type'] | undefined;
  try {
    for await (const event of events) {
      last = event.type;
      lines.add(lineOf(event), last === 'accepted' ? ACCEPTED_DELAY_MS : 0);
      if (stream.writableNeedDrain) await drained(stream);
    }
  } catch (error) {
    lines.add(lineOf(errorEvent(error)));
    log.warn({ jobId, error: String(error) }, 'job broke off');
  }
  stream.off('close', leave);
  lines.end();
  return last === 'receipt';
}

const lineOf = (event: JobEvent): string => `${encodeJson(event)}\n`;

/** Resolves when the reader has caught up, or has gone. */
const drained = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    const go = (): void => {
      stream.off('drain', go).off('close', go);
      resolve();
    };
    stream.on('drain', go).on('close', go);
  });

const errorEvent = (error: unknown): JobEvent =>
  error instanceof AssayError
    ? { type: 'error', code: error.code, message: error.message }
    : { type: 'error', code: 'internal_error', message: 'The provider made a mistake.' };
