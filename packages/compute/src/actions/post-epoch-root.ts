/** A provider commits itself to all receipts of an epoch at once. */
import type { Address, Hex } from '@assay/protocol';
import { receiptsAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type PostEpochRootParameters = {
  readonly receipts: Address;
  /** Above every epoch that the client has posted. */
  readonly epoch: bigint;
  /** `merkleRoot` over the digests of the receipts, as 32 bytes each. */
  readonly root: Hex;
  readonly count: bigint;
  /** Sum of the prices, atomic units. */
  readonly priceTotal: bigint;
};

/** Posts the root; it is final. */
export const postEpochRoot = (
  client: WriteClient,
  { receipts, epoch, root, count, priceTotal }: PostEpochRootParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: receipts,
      abi: receiptsAbi,
      functionName: 'post',
      args: [epoch, root, count, priceTotal],
      account: client.account,
      chain: client.chain,
    }),
  );
