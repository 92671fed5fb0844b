/** Standing offers, read from the chain's logs; for roles that keep no index. */
import type { Offer } from '@assay/compute';
import type { Hex } from '@assay/protocol';
import { offersAbi } from '@assay/protocol/abi';
import { rangesUntilNow } from './block-ranges.js';
import type { ChainAccess } from './chain-access.js';

/** Offers that stand now: of one model, of one provider, or of both. */
export async function listOffersOnChain(
  access: ChainAccess,
  filter: { readonly modelId?: Hex; readonly provider?: Hex },
): Promise<readonly Offer[]> {
  const { read, deployment } = access;
  const offers = new Map<Hex, Offer>();
  for (const range of await rangesUntilNow(read, BigInt(deployment.startBlock))) {
    const { offers: address } = deployment.addresses;
    const logs = await read.getContractEvents({ address, abi: offersAbi, ...range });
    for (const log of logs) {
      const { offerId, provider, modelId, terms, endpoint } = log.args as Published;
      if (log.eventName === 'OfferWithdrawn') offers.delete(offerId);
      else offers.set(offerId, { offerId, provider, endpoint, modelId, ...terms });
    }
  }
  const same = (wanted: Hex | undefined, found: Hex): boolean =>
    wanted === undefined || wanted.toLowerCase() === found.toLowerCase();
  return [...offers.values()].filter(
    (offer) => same(filter.modelId, offer.modelId) && same(filter.provider, offer.provider),
  );
}

type Published = {
  readonly offerId: Hex;
  readonly provider: Hex;
  readonly modelId: Hex;
  readonly terms: {
    readonly inputPrice: bigint;
    readonly outputPrice: bigint;
    readonly tier: number;
  };
  readonly endpoint: string;
};
