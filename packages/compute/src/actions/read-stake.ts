/** What the chain knows of a provider's stake. */
import type { Address } from '@assay/protocol';
import { stakeAbi } from '@assay/protocol/abi';
import { readContract } from 'viem/actions';
import { call, type ReadClient } from './transact.js';

export type ReadStakeParameters = { readonly stake: Address; readonly provider: Address };

/** Amounts in atomic units. */
export type StakeState = {
  /** All that can be slashed. */
  readonly staked: bigint;
  /** The part of it that is on its way out. */
  readonly requested: bigint;
  /** Unix seconds from which `requested` can be withdrawn; 0n while nothing is. */
  readonly readyAt: bigint;
};

export async function readStake(
  client: ReadClient,
  { stake, provider }: ReadStakeParameters,
): Promise<StakeState> {
  const [staked, requested, readyAt] = await call(() =>
    readContract(client, {
      address: stake,
      abi: stakeAbi,
      functionName: 'stakes',
      args: [provider],
    }),
  );
  return { staked, requested, readyAt };
}
