/** A provider tells the network what it serves, where and for how much. */
import type { Address, Hex } from '@assay/protocol';
import { offersAbi } from '@assay/protocol/abi';
import { encodeAbiParameters, keccak256, type TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

export type PublishOfferParameters = {
  readonly offers: Address;
  readonly modelId: Hex;
  /** Atomic units per million input tokens. */
  readonly inputPrice: bigint;
  /** Atomic units per million output tokens. */
  readonly outputPrice: bigint;
  readonly tier: number;
  /** URL of the provider. */
  readonly endpoint: string;
};

export type PublishOfferResult = { readonly offerId: Hex; readonly receipt: TransactionReceipt };

/** Id of an offer: one per provider, model and tier. */
export const offerId = (provider: Address, modelId: Hex, tier: number): Hex =>
  keccak256(
    encodeAbiParameters(
      [{ type: 'address' }, { type: 'bytes32' }, { type: 'uint8' }],
      [provider, modelId, tier],
    ),
  );

/** Publishes the client's offer, or updates it. */
export async function publishOffer(
  client: WriteClient,
  { offers, modelId, inputPrice, outputPrice, tier, endpoint }: PublishOfferParameters,
): Promise<PublishOfferResult> {
  const { account, chain } = client;
  const receipt = await transact(client, () =>
    writeContract(client, {
      address: offers,
      abi: offersAbi,
      functionName: 'publish',
      args: [modelId, { inputPrice, outputPrice, tier }, endpoint],
      account,
      chain,
    }),
  );
  return { offerId: offerId(account.address, modelId, tier), receipt };
}
