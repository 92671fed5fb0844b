/**
 * Bonds of disputes whose provider was convicted otherwise: by another challenger, by its silence, or by a proof in one
 * transaction. Nobody can move in such a dispute any more, and its challenger has its bond back for asking.
 */
import { returnBond } from '@assay/compute';
import type { TransactionReceipt } from 'viem';
import type { ChainAccess } from '../chain-access.js';
import { type CourtFollower, followCourt } from './court-follower.js';

/** Takes back every bond that is due to the holder of the key; returns the transactions. */
export async function takeBackBonds(
  access: ChainAccess,
  follower?: CourtFollower,
): Promise<readonly TransactionReceipt[]> {
  const { court } = access.deployment.addresses;
  const own = access.write.account.address.toLowerCase();
  const seen = follower ?? (await followCourt(access));
  const convicted = new Set(seen.verdicts().map(({ verdict }) => verdict.jobId));
  const receipts: TransactionReceipt[] = [];
  for (const { dispute } of seen.disputes()) {
    if (dispute.challenger.toLowerCase() !== own || !convicted.has(dispute.jobId)) continue;
    try {
      receipts.push(await returnBond(access.write, { court, dispute }));
    } catch (error) {
      // Another case of the same key took it back in a block that was not read yet.
      if ((error as { code?: unknown }).code !== 'dispute_unknown') throw error;
    }
  }
  return receipts;
}
