/** A provider stops serving a model. */
import type { Address, Hex } from '@assay/protocol';
import { offersAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type WithdrawOfferParameters = {
  readonly offers: Address;
  readonly modelId: Hex;
  readonly tier: number;
};

/** Takes the client's offer back. */
export const withdrawOffer = (
  client: WriteClient,
  { offers, modelId, tier }: WithdrawOfferParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: offers,
      abi: offersAbi,
      functionName: 'withdraw',
      args: [modelId, tier],
      account: client.account,
      chain: client.chain,
    }),
  );
