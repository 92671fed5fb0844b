/** Money at risk behind a provider's receipts. */
import type { Address, Hex } from '@assay/protocol';
import { stakeAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { readContract, writeContract } from 'viem/actions';
import { isAllowed, PERMIT_DEADLINE, signPermit } from './sign-permit.js';
import { call, transact, type WriteClient } from './transact.js';

export type DepositStakeParameters = {
  readonly stake: Address;
  /** Atomic units. */
  readonly amount: bigint;
  /** Whose stake; the client's account without it. */
  readonly provider?: Address;
};

/** Adds to a stake from the client's account, in one transaction. */
export async function depositStake(
  client: WriteClient,
  parameters: DepositStakeParameters,
): Promise<TransactionReceipt> {
  return transact(client, await prepareDeposit(client, parameters));
}

async function prepareDeposit(
  client: WriteClient,
  { stake, amount, provider = client.account.address }: DepositStakeParameters,
): Promise<() => Promise<Hex>> {
  const { account, chain } = client;
  const contract = { address: stake, abi: stakeAbi, account, chain } as const;
  const token = await call(() =>
    readContract(client, { address: stake, abi: stakeAbi, functionName: 'TOKEN' }),
  );
  if (await isAllowed(client, { token, owner: account.address, spender: stake, amount })) {
    return () =>
      writeContract(client, { ...contract, functionName: 'deposit', args: [provider, amount] });
  }
  const { v, r, s } = await signPermit(client, { token, spender: stake, amount });
  return () =>
    writeContract(client, {
      ...contract,
      functionName: 'depositWithPermit',
      args: [provider, amount, PERMIT_DEADLINE, v, r, s],
    });
}
