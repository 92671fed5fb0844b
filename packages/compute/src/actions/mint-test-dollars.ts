/** The faucet of a local chain. */
import type { Address } from '@assay/protocol';
import { testDollarAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type MintTestDollarsParameters = {
  readonly testDollar: Address;
  readonly to: Address;
  /** Atomic units, at most `MINT_MAX` of the contract. */
  readonly amount: bigint;
};

/** Creates test dollars for anyone. */
export const mintTestDollars = (
  client: WriteClient,
  { testDollar, to, amount }: MintTestDollarsParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: testDollar,
      abi: testDollarAbi,
      functionName: 'mint',
      args: [to, amount],
      account: client.account,
      chain: client.chain,
    }),
  );
