/**
 * The provider's duty in court: whenever a dispute against it waits for an answer, it answers from the trace of the
 * receipt that it signed. An honest provider needs nothing else to be safe.
 */
import {
  answerDispute,
  beginPlace,
  clockEnds,
  type Dispute,
  phaseOf,
  revealAt,
  revealNodes,
  showLeaf,
  type TraceSource,
} from '@assay/compute';
import { type Hex, type ReceiptEnvelope, toHex } from '@assay/protocol';
import type { ChainAccess } from '../chain-access.js';
import type { Logger } from '../log.js';
import { type CourtFollower, followCourt } from './court-follower.js';
import { type LookLoop, startLookLoop } from './look-loop.js';
import { sha256 } from './sha256.js';

export type DefenderOptions = {
  readonly access: ChainAccess;
  readonly receipt: (jobId: Hex) => ReceiptEnvelope | undefined;
  readonly source: (envelope: ReceiptEnvelope) => TraceSource;
  readonly log: Logger;
  /** Between two looks at the court. */
  readonly intervalMs: number;
};

export function startDefender(options: DefenderOptions): LookLoop {
  let follower: CourtFollower | undefined;
  const look = async (): Promise<void> => {
    follower ??= await followCourt(options.access);
    await follower.refresh();
    const own = options.access.write.account.address.toLowerCase();
    for (const { dispute } of follower.disputes()) {
      if (dispute.provider.toLowerCase() === own) await answerOne(options, dispute);
    }
  };
  return startLookLoop(look, { ...options, name: 'court' });
}

async function answerOne(options: DefenderOptions, dispute: Dispute): Promise<void> {
  const phase = phaseOf(dispute);
  if (phase !== 'answering' && phase !== 'revealing' && phase !== 'showing') return;
  const { access, log } = options;
  if ((await access.read.getBlock()).timestamp > clockEnds(dispute)) return;
  const envelope = options.receipt(dispute.jobId);
  if (envelope === undefined) {
    log.error({ jobId: dispute.jobId }, 'a receipt is disputed that is not kept here');
    return;
  }
  const source = options.source(envelope);
  const { court } = access.deployment.addresses;
  const { place } = dispute;
  if (phase === 'answering') {
    const root = toHex(await source.root());
    const shown = await revealAt(source, beginPlace(root), sha256);
    await answerDispute(access.write, { court, dispute, root, shown });
  } else if (phase === 'revealing') {
    const shown = await revealAt(source, place, sha256);
    await revealNodes(access.write, { court, dispute, shown });
  } else {
    const leaves = await source.leaves(place.position, place.row);
    await showLeaf(access.write, { court, dispute, data: toHex(leaves[Number(place.index)]!) });
  }
  log.info({ jobId: dispute.jobId, phase }, 'answered in court');
}
