/** Which places of a drawn epoch are ours: the draw names slots, the chain says who held the seats in them. */
import { type AuditPlace, type AuditTerms, isAudited, readHolder, seatDrawn } from '@assay/compute';
import type { ChainAccess } from '../chain-access.js';
import type { PlaceName } from './audit-book.js';
import type { AuditedEpoch, Draw } from './audit-follower.js';

/** Receipts of an epoch that are looked at; each takes a hash. A provider that posts more has nobody who looks. */
const RECEIPTS_MAX = 1_000_000n;

/** One of our places. */
export type OwnPlace = {
  readonly epoch: AuditedEpoch & { readonly draw: Draw };
  readonly index: bigint;
  readonly place: number;
};

export const nameOf = ({ epoch, index, place }: OwnPlace): PlaceName => ({
  ...{ provider: epoch.provider, epoch: String(epoch.epoch), index: String(index), place },
});

/** As the contract takes it. */
export const placeOf = ({ epoch, index, place }: OwnPlace): AuditPlace => ({
  ...{ provider: epoch.provider, epoch: epoch.epoch, index, place },
});

/** Finds our places of drawn epochs, and remembers them. */
export function createPlaceFinder(
  access: ChainAccess,
  terms: AuditTerms,
): (epoch: AuditedEpoch) => Promise<readonly OwnPlace[]> {
  const known = new WeakMap<Draw, readonly OwnPlace[]>();
  return async (epoch) => {
    const draw = epoch.draw!;
    const places = known.get(draw) ?? (await findPlaces(access, terms, { ...epoch, draw }));
    known.set(draw, places);
    return places;
  };
}

async function findPlaces(
  access: ChainAccess,
  terms: AuditTerms,
  epoch: OwnPlace['epoch'],
): Promise<readonly OwnPlace[]> {
  const { draw } = epoch;
  const holders = new Map<number, Promise<boolean>>();
  const isOurs = (place: OwnPlace): Promise<boolean> => {
    const slot = seatDrawn(draw.beacon, place.index, place.place, draw.seatCount);
    const asked = holders.get(slot) ?? readIsOurs(access, place);
    holders.set(slot, asked);
    return asked;
  };
  const found: OwnPlace[] = [];
  if (draw.seatCount === 0) return found;
  const count = draw.count < RECEIPTS_MAX ? draw.count : RECEIPTS_MAX;
  for (let index = 0n; index < count; index++) {
    if (!isAudited(draw.beacon, index, terms.rate)) continue;
    for (let place = 0; place < terms.places; place++)
      if (await isOurs({ epoch, index, place })) found.push({ epoch, index, place });
  }
  return found;
}

/** Of all places in one slot the answer is the same. */
async function readIsOurs(
  { read, write, deployment }: ChainAccess,
  place: OwnPlace,
): Promise<boolean> {
  const { audits } = deployment.addresses;
  const { holder } = await readHolder(read, { audits, place: placeOf(place) });
  return holder.toLowerCase() === write.account.address.toLowerCase();
}
