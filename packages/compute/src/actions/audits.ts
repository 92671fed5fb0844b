/**
 * Transactions and reads of audits, one function per function of contracts/dispute/IAudits.sol, where each is
 * explained. Writes resolve with the receipt of the block that has them, and throw the contract's own refusals by name.
 */
import type { Address, Hex, Receipt } from '@assay/protocol';
import { auditsAbi, stakeAbi, testDollarAbi } from '@assay/protocol/abi';
import type { ContractFunctionArgs, TransactionReceipt } from 'viem';
import { readContract, writeContract } from 'viem/actions';
import {
  type AuditDraw,
  type AuditPlace,
  type AuditTerms,
  FINDINGS,
  type Finding,
  OUTCOMES,
  type Outcome,
  readAuditEvents,
} from '../court/audit.js';
import type { CourtClaim, CourtModel, CourtProof, SignedTrace } from '../court/claim.js';
import { isAllowed } from './sign-permit.js';
import { call, type ReadClient, transact, type WriteClient } from './transact.js';

/** Audits and what one of their functions takes. */
type At<Parameters> = Parameters & { readonly audits: Address };

/** Where a receipt stands in an epoch. */
export type PostedReceipt = {
  readonly provider: Address;
  readonly epoch: bigint;
  readonly index: bigint;
  readonly receipt: Receipt;
  /** `merkleProof` over the digests of the epoch's receipts. */
  readonly proof: readonly Hex[];
};

/** A seat as the chain has it; without a holder it is empty. */
export type SeatState = {
  readonly holder: Address;
  readonly takenBlock: bigint;
  /** Block in which it was given up; 0n if it was not. */
  readonly leftBlock: bigint;
  /** What is left of its bond, atomic units. */
  readonly bond: bigint;
  /** Unix seconds from which the bond can be withdrawn; 0n while it is not given up. */
  readonly readyAt: bigint;
  readonly slot: number;
  /** Silences since its last report. */
  readonly absences: number;
};

export type ReportState = {
  /** Zero if nobody committed itself and nothing was settled. */
  readonly holder: Address;
  readonly seat: number;
  readonly finding: Finding;
  readonly outcome: Outcome;
  /** Commitment; once revealed, the root. */
  readonly content: Hex;
};

type AuditFunction =
  | 'take'
  | 'giveUp'
  | 'withdraw'
  | 'draw'
  | 'commit'
  | 'reveal'
  | 'answer'
  | 'settle'
  | 'plant'
  | 'openPlant';

function move<Name extends AuditFunction>(
  client: WriteClient,
  options: {
    readonly audits: Address;
    readonly functionName: Name;
    readonly args: ContractFunctionArgs<typeof auditsAbi, 'nonpayable', Name>;
  },
): Promise<TransactionReceipt> {
  const { audits, functionName, args } = options;
  const { account, chain } = client;
  const request = { address: audits, abi: auditsAbi, functionName, args, account, chain };
  return transact(client, () =>
    writeContract(client, request as unknown as Parameters<typeof writeContract>[1]),
  );
}

// Seats.

/** Takes seats for the client's account, after allowing their bonds if that is necessary; resolves with their numbers. */
export async function takeSeats(
  client: WriteClient,
  { audits, count }: At<{ readonly count: number }>,
): Promise<readonly number[]> {
  const [{ bond }, { stake }] = await Promise.all([
    readAuditTerms(client, audits),
    call(() => readContract(client, { address: audits, abi: auditsAbi, functionName: 'parts' })),
  ]);
  const token = await call(() =>
    readContract(client, { address: stake, abi: stakeAbi, functionName: 'TOKEN' }),
  );
  await allow(client, { token, spender: audits, amount: bond * BigInt(count) });
  const receipt = await move(client, { audits, functionName: 'take', args: [count] });
  return readAuditEvents(receipt.logs).flatMap((event) =>
    event.eventName === 'SeatTaken' ? [event.args.seat] : [],
  );
}

async function allow(
  client: WriteClient,
  options: { readonly token: Address; readonly spender: Address; readonly amount: bigint },
): Promise<void> {
  const { account, chain } = client;
  const { token, spender, amount } = options;
  if (await isAllowed(client, { ...options, owner: account.address })) return;
  await transact(client, () =>
    writeContract(client, {
      address: token,
      abi: testDollarAbi,
      functionName: 'approve',
      args: [spender, amount],
      account,
      chain,
    }),
  );
}

export const leaveSeat = (
  client: WriteClient,
  { audits, seat }: At<{ readonly seat: number }>,
): Promise<TransactionReceipt> => move(client, { audits, functionName: 'giveUp', args: [seat] });

export const withdrawSeat = (
  client: WriteClient,
  { audits, seat }: At<{ readonly seat: number }>,
): Promise<TransactionReceipt> => move(client, { audits, functionName: 'withdraw', args: [seat] });

// Audits.

type Epoch = { readonly provider: Address; readonly epoch: bigint };

export const drawEpoch = (
  client: WriteClient,
  { audits, provider, epoch }: At<Epoch>,
): Promise<TransactionReceipt> =>
  move(client, { audits, functionName: 'draw', args: [provider, epoch] });

/** `commitment`: `reportCommitment` of the report that will be revealed. */
export const commitReport = (
  client: WriteClient,
  { audits, place, commitment }: At<{ readonly place: AuditPlace; readonly commitment: Hex }>,
): Promise<TransactionReceipt> =>
  move(client, { audits, functionName: 'commit', args: [place, commitment] });

export const revealReport = (
  client: WriteClient,
  {
    audits,
    place,
    finding,
    root,
    salt,
  }: At<{
    readonly place: AuditPlace;
    readonly finding: Finding;
    readonly root: Hex;
    readonly salt: Hex;
  }>,
): Promise<TransactionReceipt> =>
  move(client, {
    audits,
    functionName: 'reveal',
    args: [place, FINDINGS.indexOf(finding), root, salt],
  });

/** The provider stands by a trace root that it signed. */
export const answerAudit = (
  client: WriteClient,
  { audits, posted, trace }: At<{ readonly posted: PostedReceipt; readonly trace: SignedTrace }>,
): Promise<TransactionReceipt> =>
  move(client, { audits, functionName: 'answer', args: [posted, trace.root, trace.signature] });

export const settleAudit = (
  client: WriteClient,
  { audits, posted }: At<{ readonly posted: PostedReceipt }>,
): Promise<TransactionReceipt> => move(client, { audits, functionName: 'settle', args: [posted] });

// Planted faults.

/** `commitment`: `plantCommitment` of a fault that the client will open. */
export const plantFault = (
  client: WriteClient,
  { audits, commitment }: At<{ readonly commitment: Hex }>,
): Promise<TransactionReceipt> =>
  move(client, { audits, functionName: 'plant', args: [commitment] });

export const openPlant = (
  client: WriteClient,
  {
    audits,
    posted,
    claim,
    trace,
    salt,
    consent,
    model,
    proof,
  }: At<{
    readonly posted: PostedReceipt;
    readonly claim: CourtClaim;
    readonly trace: SignedTrace;
    readonly salt: Hex;
    /** Of the requester, over `hashPlant`. */
    readonly consent: Hex;
    readonly model: CourtModel;
    readonly proof: CourtProof;
  }>,
): Promise<TransactionReceipt> =>
  move(client, {
    audits,
    functionName: 'openPlant',
    args: [posted, claim, trace, salt, consent, model, proof],
  });

// Reads.

export const readAuditTerms = (client: ReadClient, audits: Address): Promise<AuditTerms> =>
  call(() => readContract(client, { address: audits, abi: auditsAbi, functionName: 'terms' }));

/** The draw of an epoch; undefined before it. */
export async function readDraw(
  client: ReadClient,
  { audits, provider, epoch }: At<Epoch>,
): Promise<AuditDraw | undefined> {
  const draw = await call(() =>
    readContract(client, {
      address: audits,
      abi: auditsAbi,
      functionName: 'draws',
      args: [provider, epoch],
    }),
  );
  return draw.drawnAt === 0n ? undefined : draw;
}

export async function readSeat(
  client: ReadClient,
  { audits, seat }: At<{ readonly seat: number }>,
): Promise<SeatState> {
  const [holder, takenBlock, leftBlock, bond, readyAt, slot, absences] = await call(() =>
    readContract(client, {
      address: audits,
      abi: auditsAbi,
      functionName: 'seats',
      args: [seat],
    }),
  );
  const blocks = { takenBlock: BigInt(takenBlock), leftBlock: BigInt(leftBlock) };
  return { holder, ...blocks, bond, readyAt, slot, absences };
}

/** Seats that can be drawn now. */
export const readSeatCount = (client: ReadClient, audits: Address): Promise<number> =>
  call(() => readContract(client, { address: audits, abi: auditsAbi, functionName: 'seatCount' }));

/** Seats by slot, as a draw finds them (`seatDrawn` gives slots). */
export const readSeatsDrawn = (
  client: ReadClient,
  { audits, draw }: At<{ readonly draw: Pick<AuditDraw, 'seatCount' | 'postedBlock'> }>,
): Promise<readonly number[]> =>
  call(() =>
    Promise.all(
      Array.from({ length: draw.seatCount }, (_, slot) =>
        readContract(client, {
          address: audits,
          abi: auditsAbi,
          functionName: 'seatAt',
          args: [slot, draw.postedBlock],
        }),
      ),
    ),
  );

/** Seat that a place of a drawn epoch belongs to, and who answers for it; the zero address if nobody does. */
export async function readHolder(
  client: ReadClient,
  { audits, place }: At<{ readonly place: AuditPlace }>,
): Promise<{ readonly seat: number; readonly holder: Address }> {
  const [seat, holder] = await call(() =>
    readContract(client, {
      address: audits,
      abi: auditsAbi,
      functionName: 'holderOf',
      args: [place],
    }),
  );
  return { seat, holder };
}

export async function readReport(
  client: ReadClient,
  { audits, place }: At<{ readonly place: AuditPlace }>,
): Promise<ReportState> {
  const [holder, seat, finding, outcome, content] = await call(() =>
    readContract(client, {
      address: audits,
      abi: auditsAbi,
      functionName: 'reports',
      args: [place],
    }),
  );
  return { holder, seat, finding: FINDINGS[finding]!, outcome: OUTCOMES[outcome]!, content };
}

/** Root that a provider stands by in an audit; undefined while it is silent. */
export async function readAnswer(
  client: ReadClient,
  { audits, provider, epoch, index }: At<Epoch & { readonly index: bigint }>,
): Promise<Hex | undefined> {
  const root = await call(() =>
    readContract(client, {
      address: audits,
      abi: auditsAbi,
      functionName: 'answers',
      args: [provider, epoch, index],
    }),
  );
  return BigInt(root) === 0n ? undefined : root;
}

export const readIsPlanted = (
  client: ReadClient,
  { audits, jobId }: At<{ readonly jobId: Hex }>,
): Promise<boolean> =>
  call(() =>
    readContract(client, {
      address: audits,
      abi: auditsAbi,
      functionName: 'isPlanted',
      args: [jobId],
    }),
  );
