/** `assay offer`: what providers offer on chain, and the end of an offer of one's own. */
import { type Offer, withdrawOffer } from '@assay/compute';
import { AssayError, isHexOf } from '@assay/protocol';
import { connectRole, resolveRpc } from '../chain-access.js';
import { listKeys, loadKey } from '../home.js';
import { listOffersOnChain } from '../offers-on-chain.js';
import { print, table } from './output.js';
import { NOBODY, openRole, type RoleOptions } from './role-access.js';

export async function listOffers(options: RoleOptions): Promise<void> {
  const { home, rpc } = options;
  const own = listKeys(home).includes('provider') ? loadKey(home, 'provider').account : undefined;
  const access = await connectRole(home, resolveRpc(home, rpc), own ?? NOBODY);
  const offers = (await listOffersOnChain(access, {})).map((offer) => ({
    ...offer,
    own: offer.provider === own?.address,
  }));
  const text = offers.length === 0 ? 'nobody offers anything' : offerTable(offers);
  print(options, { offers }, text);
}

/** Withdraws the offer of one model, or every offer of the provider of this data folder. */
export async function withdrawOffers(options: RoleOptions, modelId?: string): Promise<void> {
  if (modelId !== undefined && !isHexOf(modelId, 32)) throw badModelId(modelId);
  const access = await openRole(options, 'provider');
  const { read: _, write, deployment } = access;
  const provider = write.account.address;
  const filter = modelId === undefined ? { provider } : { provider, modelId };
  const offers = await listOffersOnChain(access, filter);
  if (offers.length === 0) throw offerUnknown(modelId ?? provider);
  for (const { modelId, tier } of offers)
    await withdrawOffer(write, { offers: deployment.addresses.offers, modelId, tier });
  const text = `withdrawn:\n${offerTable(offers)}\n${WITHDRAWN_HINT}`;
  print(options, { provider, withdrawn: offers }, text);
}

const WITHDRAWN_HINT =
  'Jobs that were admitted go on. A provider that is started again publishes its offer again.';

const offerTable = (offers: readonly (Offer & { readonly own?: boolean })[]): string =>
  table([
    ['model', 'provider', 'in', 'out', 'tier', 'endpoint', ''],
    ...offers.map(({ modelId, provider, inputPrice, outputPrice, tier, endpoint, own }) => [
      modelId,
      provider,
      String(inputPrice),
      String(outputPrice),
      String(tier),
      endpoint,
      own ? 'own' : '',
    ]),
  ]);

const badModelId = (value: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'A model id is 0x and 64 hexadecimal digits.',
    value,
    remedy: 'Take it from `assay offer list`, or leave it out to withdraw every own offer.',
  });

const offerUnknown = (value: string): AssayError =>
  new AssayError({
    code: 'offer_unknown',
    fault: 'user',
    message: 'The provider of this data folder has no such offer.',
    value,
    remedy: 'See `assay offer list`.',
  });
