/** Logs of a court as what happened to which dispute; the contract's events are in contracts/dispute/ICourt.sol. */
import type { Address, Hex } from '@assay/protocol';
import { courtAbi } from '@assay/protocol/abi';
import { encodeAbiParameters, keccak256, type Log, parseEventLogs } from 'viem';

/** One event of a court: its name, its arguments, and where it stands. */
export type CourtEvent = ReturnType<typeof readCourtEvents>[number];

/** Events of courts among logs, in their order. */
export const readCourtEvents = (logs: Log[]) => parseEventLogs({ abi: courtAbi, logs });

/**
 * What a claimant commits himself to before he sends a proof (`Court.commit`), so that whoever copies the proof gains
 * nothing.
 */
export const proofCommitment = (options: {
  readonly jobId: Hex;
  /** As in `CourtProof`. */
  readonly data: Hex;
  readonly claimant: Address;
  /** 32 random bytes. */
  readonly salt: Hex;
}): Hex =>
  keccak256(
    encodeAbiParameters(
      [{ type: 'bytes32' }, { type: 'bytes32' }, { type: 'address' }, { type: 'bytes32' }],
      [options.jobId, keccak256(options.data), options.claimant, options.salt],
    ),
  );
