/**
 * Receipts in the index: each envelope once, by the hash of its canonical text, with the columns that are searched and
 * exact sums over them. It checks shapes; whether the signatures and the answer are right is judged in `compute`.
 */
import { createHash } from 'node:crypto';
import { decodeEnvelope } from '@assay/compute';
import {
  type Address,
  decodeJson,
  encodeJson,
  FINISH,
  type Hex,
  isHexOf,
  type ReceiptEnvelope,
} from '@assay/protocol';
import { getAddress } from 'viem';
import type { IndexStore } from './database.js';
import { indexArgument, receiptConflict, receiptUnknown } from './errors.js';
import { addAmounts, insertRows, lockRow, readRows, upsertRows, type Writer } from './rows.js';
import { cleanText } from './rules.js';
import type { EnvelopeRow, ReceiptRow, UsageRow } from './schema.js';

/** What a verifier found out about a receipt; `invalid`: it contradicts itself, whatever its tokens are. */
export type ReceiptCheck = {
  readonly result: 'identical' | 'different' | 'invalid' | 'unavailable';
  /** First differing token of the output, with what the model gives there and what the receipt says. */
  readonly position?: number;
  readonly expected?: number;
  readonly found?: number;
  /** What differs, if it is no token: see `Verdict` in the room `compute`. */
  readonly part?: 'logprobs' | 'embedding';
  readonly verifier?: Address;
  readonly seconds?: number;
  /** What is wrong with an invalid one, in the verifier's words. */
  readonly reason?: string;
};

export type StoredReceipt = {
  readonly envelope: ReceiptEnvelope;
  readonly envelopeHash: Hex;
  readonly check: ReceiptCheck | undefined;
  readonly createdAtMs: number;
};

export type Activity = {
  readonly jobId: Hex;
  readonly model: Hex;
  readonly provider: Address;
  readonly requester: Address;
  readonly channelId: Hex;
  readonly lane: number;
  readonly inputCount: number;
  readonly outputCount: number;
  readonly price: bigint;
  readonly finish: keyof typeof FINISH;
  readonly createdAtMs: number;
  readonly check: ReceiptCheck | undefined;
};

/** Most receipts in one answer; a longer history is asked for in parts. */
const ACTIVITY_MAX = 1_000;
const ACTIVITY_DEFAULT = 50;
const CHECK_RESULTS: readonly unknown[] = ['identical', 'different', 'invalid', 'unavailable'];
/** Longest reason that is kept: one sentence; a verifier is a stranger. */
const REASON_LENGTH_MAX = 200;
const FINISH_NAMES = Object.keys(FINISH) as (keyof typeof FINISH)[];

export const NETWORK_USAGE = 'network';
export const providerUsage = (provider: string): string => `provider:${provider.toLowerCase()}`;
export const modelUsage = (modelId: string): string => `model:${modelId}`;

/** A receipt as it comes to the index. */
export type NewReceipt = { readonly envelope: ReceiptEnvelope; readonly createdAtMs: number };

export type AddedReceipt = { readonly added: boolean; readonly envelopeHash: Hex };

/**
 * Keeps a receipt. Adding the same one again changes nothing and says so; another receipt for the same job is refused
 * (`receipt_conflict`).
 */
export async function addReceipt(
  store: IndexStore,
  envelope: ReceiptEnvelope,
  meta: { readonly createdAtMs: number },
): Promise<AddedReceipt> {
  const [added] = await addReceipts(store, [{ envelope, ...meta }]);
  return added!;
}

/** {@link addReceipt} for several in one transaction: all are kept, or none. */
export async function addReceipts(
  store: IndexStore,
  receipts: readonly NewReceipt[],
): Promise<readonly AddedReceipt[]> {
  const rows = receipts.map(rowsOf);
  return store.db.transaction().execute(async (db) => {
    await lockRow(db, 'receipts');
    const values = rows.map(({ receipt }) => receipt.job_id);
    const stored = await readRows(db, { table: 'receipts', column: 'job_id', values });
    const known = new Map(stored.map((row) => [row.job_id, row.envelope_hash]));
    const fresh = rows.filter(({ receipt }) => isNew(known, receipt));
    await insertRows(
      db,
      'envelopes',
      fresh.map(({ envelope }) => envelope),
    );
    const added = fresh.map(({ receipt }) => receipt);
    await insertRows(db, 'receipts', added);
    await addUsage(db, added.map(usageOfReceipt));
    return rows.map((row) => ({
      added: fresh.includes(row),
      envelopeHash: row.receipt.envelope_hash as Hex,
    }));
  });
}

/** True the first time that a job is met; then it counts as known. */
function isNew(known: Map<string, string>, { job_id, envelope_hash }: ReceiptRow): boolean {
  const hash = known.get(job_id);
  if (hash !== undefined && hash !== envelope_hash) throw receiptConflict(job_id);
  known.set(job_id, envelope_hash);
  return hash === undefined;
}

type ReceiptRows = { readonly receipt: ReceiptRow; readonly envelope: EnvelopeRow };

function rowsOf({ envelope, createdAtMs }: NewReceipt): ReceiptRows {
  if (!Number.isSafeInteger(createdAtMs) || createdAtMs < 0)
    throw indexArgument('createdAtMs', createdAtMs, 'milliseconds since 1970');
  const canonical = decodeEnvelope(envelope);
  if (canonical.receipt.jobId !== canonical.jobId)
    throw indexArgument('envelope', canonical.receipt.jobId, 'an envelope with one job id');
  const body = encodeJson(canonical);
  const envelopeHash: Hex = `0x${createHash('sha256').update(body).digest('hex')}`;
  const receipt = receiptRow(canonical, envelopeHash, createdAtMs);
  return { receipt, envelope: { envelope_hash: envelopeHash, body } };
}

/** Records what a check found; a later check replaces an earlier one. */
export async function setCheck(store: IndexStore, jobId: Hex, check: ReceiptCheck): Promise<void> {
  const id = checkJobId(jobId);
  const detail = encodeCheck(check);
  await store.db.transaction().execute(async (db) => {
    await lockRow(db, 'receipts');
    const row = await findRow(db, id);
    if (row === undefined) throw receiptUnknown(id);
    await db
      .updateTable('receipts')
      .set({ check_result: check.result, check_detail: detail })
      .where('job_id', '=', id)
      .execute();
    const moved = (result: string): number =>
      Number(check.result === result) - Number(row.check_result === result);
    const amounts = { verified: moved('identical'), different: moved('different') };
    await addUsage(db, [{ row, amounts }]);
  });
}

/** A receipt with everything that is needed to re-execute it, or undefined if it is not known. */
export async function getReceipt(
  store: IndexStore,
  jobId: Hex,
): Promise<StoredReceipt | undefined> {
  const row = await store.db
    .selectFrom('receipts')
    .innerJoin('envelopes', 'envelopes.envelope_hash', 'receipts.envelope_hash')
    .select(['receipts.envelope_hash', 'body', 'check_detail', 'created_at_ms'])
    .where('job_id', '=', checkJobId(jobId))
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    envelope: decodeJson(row.body) as ReceiptEnvelope,
    envelopeHash: row.envelope_hash as Hex,
    check: decodeCheck(row.check_detail),
    createdAtMs: row.created_at_ms,
  };
}

export type ActivityFilter = {
  readonly limit?: number;
  readonly provider?: Address;
  readonly model?: Hex;
  readonly channelId?: Hex;
};

/** The newest receipts first, without their envelopes. */
export async function recentActivity(
  store: IndexStore,
  filter: ActivityFilter = {},
): Promise<Activity[]> {
  const { limit = ACTIVITY_DEFAULT, provider, model, channelId } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > ACTIVITY_MAX)
    throw indexArgument('limit', limit, `1 to ${ACTIVITY_MAX}`);
  let query = store.db.selectFrom('receipts').selectAll();
  if (provider !== undefined) query = query.where('provider', '=', checkHex(provider, 20));
  if (model !== undefined) query = query.where('model_id', '=', checkHex(model, 32));
  if (channelId !== undefined) query = query.where('channel_id', '=', checkHex(channelId, 32));
  const rows = await query
    .orderBy('created_at_ms', 'desc')
    .orderBy('job_id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(activityOf);
}

const activityOf = (row: ReceiptRow): Activity => ({
  jobId: row.job_id as Hex,
  model: row.model_id as Hex,
  provider: getAddress(row.provider),
  requester: getAddress(row.requester),
  channelId: row.channel_id as Hex,
  lane: row.lane,
  inputCount: row.input_count,
  outputCount: row.output_count,
  price: BigInt(row.price),
  finish: FINISH_NAMES.find((name) => FINISH[name] === row.finish)!,
  createdAtMs: row.created_at_ms,
  check: decodeCheck(row.check_detail),
});

const receiptRow = (
  { jobId, job, receipt }: ReceiptEnvelope,
  envelopeHash: Hex,
  createdAtMs: number,
): ReceiptRow => ({
  job_id: jobId,
  envelope_hash: envelopeHash,
  model_id: job.modelId,
  provider: job.provider,
  requester: job.requester,
  channel_id: job.channelId,
  lane: job.lane,
  tier: job.tier,
  input_count: job.inputCount,
  output_count: receipt.outputCount,
  price: receipt.price.toString(),
  finish: receipt.finish,
  created_at_ms: createdAtMs,
  check_result: '',
  check_detail: '',
});

const findRow = (db: Writer, jobId: string): Promise<ReceiptRow | undefined> =>
  db.selectFrom('receipts').selectAll().where('job_id', '=', jobId).executeTakeFirst();

const NO_USAGE: Omit<UsageRow, 'usage_id'> = {
  requests: 0,
  input_tokens: 0,
  output_tokens: 0,
  paid: '0',
  verified: 0,
  different: 0,
};

type Usage = { readonly row: ReceiptRow; readonly amounts: Partial<UsageRow> };

const usageOfReceipt = (row: ReceiptRow): Usage => ({
  row,
  amounts: {
    requests: 1,
    input_tokens: row.input_count,
    output_tokens: row.output_count,
    paid: row.price,
  },
});

/** Adds to the sums of the network, of the receipts' providers and of their models. */
async function addUsage(db: Writer, usages: readonly Usage[]): Promise<void> {
  const values = [...new Set(usages.flatMap(({ row }) => usageIds(row)))];
  const stored = await readRows(db, { table: 'usage', column: 'usage_id', values });
  const sums = new Map(stored.map((usage) => [usage.usage_id, usage]));
  for (const { row, amounts } of usages)
    for (const usage_id of usageIds(row)) {
      const sum = sums.get(usage_id) ?? { usage_id, ...NO_USAGE };
      sums.set(usage_id, addAmounts(sum, amounts, 1));
    }
  const columns = Object.keys(NO_USAGE);
  await upsertRows(db, { table: 'usage', keys: ['usage_id'], columns, rows: [...sums.values()] });
}

const usageIds = (row: ReceiptRow): string[] => [
  NETWORK_USAGE,
  providerUsage(row.provider),
  modelUsage(row.model_id),
];

/** The sums made anew from all receipts, to be compared with the stored ones. */
export async function countUsage(store: IndexStore): Promise<Map<string, UsageRow>> {
  const usage = new Map<string, UsageRow>();
  for (const row of await store.db.selectFrom('receipts').selectAll().execute())
    for (const usage_id of usageIds(row)) {
      const amounts = {
        requests: 1,
        input_tokens: row.input_count,
        output_tokens: row.output_count,
        paid: row.price,
        verified: Number(row.check_result === 'identical'),
        different: Number(row.check_result === 'different'),
      };
      usage.set(usage_id, addAmounts(usage.get(usage_id) ?? { usage_id, ...NO_USAGE }, amounts, 1));
    }
  return usage;
}

function encodeCheck(check: ReceiptCheck): string {
  const { result, position, expected, found, part, verifier, seconds, reason } = check;
  if (!CHECK_RESULTS.includes(result))
    throw indexArgument('check result', result, 'identical, different, invalid or unavailable');
  for (const [name, value] of Object.entries({ position, expected, found }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      throw indexArgument(`check ${name}`, value, 'a count');
  if (part !== undefined && part !== 'logprobs' && part !== 'embedding')
    throw indexArgument('check part', part, 'logprobs or embedding');
  if (seconds !== undefined && !(Number.isFinite(seconds) && seconds >= 0))
    throw indexArgument('check seconds', seconds, 'a duration');
  if (verifier !== undefined && !isHexOf(verifier, 20))
    throw indexArgument('check verifier', verifier, 'an address');
  if (reason !== undefined && typeof reason !== 'string')
    throw indexArgument('check reason', reason, 'a sentence');
  const kept = reason === undefined ? undefined : cleanText(reason).slice(0, REASON_LENGTH_MAX);
  const detail = { result, position, expected, found, part, verifier, seconds, reason: kept };
  return JSON.stringify(detail);
}

const decodeCheck = (detail: string): ReceiptCheck | undefined =>
  detail === '' ? undefined : (JSON.parse(detail) as ReceiptCheck);

const checkJobId = (jobId: unknown): Hex => checkHex(jobId, 32);

/** Lower-case text of a hash or address that a caller asked for. */
export function checkHex(value: unknown, size: number): Hex {
  if (!isHexOf(value, size)) throw indexArgument('id', value, `${size} bytes as 0x text`);
  return value.toLowerCase() as Hex;
}
