/** First step of taking stake out. */
import type { Address } from '@assay/protocol';
import { stakeAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type RequestStakeWithdrawalParameters = {
  readonly stake: Address;
  /** Atomic units; zero takes an earlier request back. */
  readonly amount: bigint;
};

/** Starts the clock for the client's own stake; a new request replaces the old one. */
export const requestStakeWithdrawal = (
  client: WriteClient,
  { stake, amount }: RequestStakeWithdrawalParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: stake,
      abi: stakeAbi,
      functionName: 'requestWithdrawal',
      args: [amount],
      account: client.account,
      chain: client.chain,
    }),
  );
