/** Standing offers of one model, read from the chain's logs; for roles that keep no index. */
import type { Offer } from '@assay/compute';
import type { Hex } from '@assay/protocol';
import { offersAbi } from '@assay/protocol/abi';
import type { ChainAccess } from './chain-access.js';

export async function listOffersOnChain(
  access: ChainAccess,
  modelId: Hex,
): Promise<readonly Offer[]> {
  const { read, deployment } = access;
  const logs = await read.getContractEvents({
    address: deployment.addresses.offers,
    abi: offersAbi,
    fromBlock: BigInt(deployment.startBlock),
  });
  const offers = new Map<Hex, Offer>();
  for (const log of logs) {
    if (log.eventName === 'OfferWithdrawn') offers.delete(log.args.offerId!);
    if (log.eventName !== 'OfferPublished') continue;
    const { offerId, provider, terms, endpoint } = log.args as Published;
    if (log.args.modelId === modelId)
      offers.set(offerId, { offerId, provider, endpoint, modelId, ...terms });
  }
  return [...offers.values()];
}

type Published = {
  readonly offerId: Hex;
  readonly provider: Hex;
  readonly terms: {
    readonly inputPrice: bigint;
    readonly outputPrice: bigint;
    readonly tier: number;
  };
  readonly endpoint: string;
};
