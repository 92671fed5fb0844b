/**
 * What a verifier does with receipts that do not re-compute: one after another it brings them to court, in the
 * background, so that checking goes on meanwhile.
 */
import type { ReceiptEnvelope } from '@assay/protocol';
import { takeBackBonds } from './bonds.js';
import { type CaseOptions, tryCase } from './case.js';

/** Cases that wait; each holds the token ids of a receipt. Who cheats that often is convicted by the first. */
const CASES_MAX = 64;

export type BailiffOptions = Pick<CaseOptions, 'home' | 'access' | 'log' | 'book'>;

export type Bailiff = {
  /** Takes a case; false if it is known already or too many wait. */
  readonly take: (envelope: ReceiptEnvelope) => boolean;
  /** Takes no more cases. One under way can be taken up again at any time: the receipt stays what it is. */
  readonly close: () => void;
};

export function createBailiff(options: BailiffOptions): Bailiff {
  const known = new Set<string>();
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  let closed = false;
  return {
    take(envelope) {
      if (known.has(envelope.jobId) || waiting >= CASES_MAX) return false;
      known.add(envelope.jobId);
      waiting++;
      last = last
        .then(async () => {
          if (closed) return;
          await tryCase(options, envelope);
          await takeBackBonds(options.access);
        })
        .catch((error: unknown) => {
          options.log.error({ jobId: envelope.jobId, error: String(error) }, 'case failed');
        })
        .finally(() => waiting--);
      return true;
    },
    close: () => {
      closed = true;
    },
  };
}
