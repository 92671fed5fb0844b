/** Seats of a verifier: bonds that are drawn for audits. */
import { type AuditTerms, readSeat, takeSeats } from '@assay/compute';
import { type Address, AssayError, formatAmount } from '@assay/protocol';
import { auditsAbi } from '@assay/protocol/abi';
import { rangesUntilNow } from '../block-ranges.js';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import { type ChainAccess, fundLocalRole, tokenBalance } from '../chain-access.js';

export type HeldSeat = {
  readonly seat: number;
  /** What is left of its bond. */
  readonly bond: bigint;
  /** Unix seconds from which the bond can be withdrawn; undefined while the seat is drawn. */
  readonly readyAt: number | undefined;
  /** Times in a row that it kept silent. */
  readonly absences: number;
};

/** Seats whose bonds are not back yet, by number. */
export async function readHeldSeats(access: ChainAccess, holder: Address): Promise<HeldSeat[]> {
  const { read, deployment } = access;
  const { audits } = deployment.addresses;
  const held: HeldSeat[] = [];
  for (const range of await rangesUntilNow(read, BigInt(deployment.startBlock))) {
    const taken = await read.getContractEvents({
      address: audits,
      abi: auditsAbi,
      eventName: 'SeatTaken',
      args: { holder },
      strict: true,
      ...range,
    });
    for (const { args } of taken) {
      const seat = await heldSeat(access, holder, args.seat);
      if (seat !== undefined) held.push(seat);
    }
  }
  return held;
}

async function heldSeat(
  { read, deployment }: ChainAccess,
  holder: Address,
  seat: number,
): Promise<HeldSeat | undefined> {
  const { audits } = deployment.addresses;
  const state = await readSeat(read, { audits, seat });
  if (state.holder.toLowerCase() !== holder.toLowerCase()) return undefined;
  const { bond, absences, leftBlock, readyAt } = state;
  return { seat, bond, absences, readyAt: leftBlock === 0n ? undefined : Number(readyAt) };
}

/** Takes seats until `count` are drawn; those on their way out do not count. */
export async function ensureSeats(
  access: ChainAccess,
  { count, terms }: { readonly count: number; readonly terms: AuditTerms },
): Promise<void> {
  const holder = access.write.account.address;
  const held = await readHeldSeats(access, holder);
  const missing = count - held.filter(({ readyAt }) => readyAt === undefined).length;
  if (missing > 0) await takeMore(access, { count: missing, terms });
}

/** Takes `count` seats more. */
export async function takeMore(
  access: ChainAccess,
  { count, terms }: { readonly count: number; readonly terms: AuditTerms },
): Promise<void> {
  const amount = BigInt(count) * terms.bond;
  if (access.market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, amount);
  const holds = await tokenBalance(access, access.write.account.address);
  if (holds < amount) throw bondMissing(amount, holds);
  const { audits } = access.deployment.addresses;
  await takeSeats(access.write, { audits, count });
}

const bondMissing = (amount: bigint, holds: bigint): AssayError =>
  new AssayError({
    code: 'bond_missing',
    fault: 'user',
    message: `The seats need bonds of ${formatAmount(amount)}, and the verifier holds ${formatAmount(holds)}.`,
    value: String(amount - holds),
    remedy: 'Send the address of the verifier the rest of the payment token, or take fewer seats.',
  });
