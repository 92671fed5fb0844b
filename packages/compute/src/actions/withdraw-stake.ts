/** Last step of taking stake out. */
import type { Address } from '@assay/protocol';
import { stakeAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type WithdrawStakeParameters = { readonly stake: Address };

/** Pays the client what it requested and was not slashed, once the delay is over. */
export const withdrawStake = (
  client: WriteClient,
  { stake }: WithdrawStakeParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: stake,
      abi: stakeAbi,
      functionName: 'withdraw',
      account: client.account,
      chain: client.chain,
    }),
  );
