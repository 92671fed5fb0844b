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
import type { ReceiptRow, UsageRow } from './schema.js';

/** What a verifier found out about a receipt. */
export type ReceiptCheck = {
  readonly result: 'identical' | 'different' | 'unavailable';
  /** First differing token of the output, with what the model gives there and what the receipt says. */
  readonly position?: number;
  readonly expected?: number;
  readonly found?: number;
  readonly verifier?: Address;
  readonly seconds?: number;
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
const CHECK_RESULTS: readonly unknown[] = ['identical', 'different', 'unavailable'];
const FINISH_NAMES = Object.keys(FINISH) as (keyof typeof FINISH)[];

export const NETWORK_USAGE = 'network';
export const providerUsage = (provider: string): string => `provider:${provider.toLowerCase()}`;
export const modelUsage = (modelId: string): string => `model:${modelId}`;

/**
 * Keeps a receipt. Adding the same one again changes nothing and says so; another receipt for the same job is refused
 * (`receipt_conflict`).
 */
export async function addReceipt(
  store: IndexStore,
  envelope: ReceiptEnvelope,
  meta: { readonly createdAtMs: number },
): Promise<{ readonly added: boolean; readonly envelopeHash: Hex }> {
  const { createdAtMs } = meta;
  if (!Number.isSafeInteger(createdAtMs) || createdAtMs < 0)
    throw indexArgument('createdAtMs', createdAtMs, 'milliseconds since 1970');
  const canonical = decodeEnvelope(envelope);
  if (canonical.receipt.jobId !== canonical.jobId)
    throw indexArgument('envelope', canonical.receipt.jobId, 'an envelope with one job id');
  const body = encodeJson(canonical);
  const envelopeHash: Hex = `0x${createHash('sha256').update(body).digest('hex')}`;
  const row = receiptRow(canonical, envelopeHash, createdAtMs);
  return store.db.transaction().execute(async (db) => {
    await lockRow(db, 'receipts');
    const known = await findRow(db, row.job_id);
    if (known !== undefined && known.envelope_hash !== envelopeHash)
      throw receiptConflict(row.job_id);
    if (known !== undefined) return { added: false, envelopeHash };
    await insertRows(db, 'envelopes', [{ envelope_hash: envelopeHash, body }]);
    await insertRows(db, 'receipts', [row]);
    await addUsage(db, row, {
      requests: 1,
      input_tokens: row.input_count,
      output_tokens: row.output_count,
      paid: row.price,
    });
    return { added: true, envelopeHash };
  });
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
    await addUsage(db, row, { verified: moved('identical'), different: moved('different') });
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

/** Adds to the sums of the network, of the receipt's provider and of its model. */
async function addUsage(db: Writer, row: ReceiptRow, amounts: Partial<UsageRow>): Promise<void> {
  const values = usageIds(row);
  const stored = await readRows(db, { table: 'usage', column: 'usage_id', values });
  const rows = values.map((usage_id) =>
    addAmounts(
      stored.find((usage) => usage.usage_id === usage_id) ?? { usage_id, ...NO_USAGE },
      amounts,
      1,
    ),
  );
  const columns = Object.keys(NO_USAGE);
  await upsertRows(db, { table: 'usage', keys: ['usage_id'], columns, rows });
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
  const { result, position, expected, found, verifier, seconds } = check;
  if (!CHECK_RESULTS.includes(result))
    throw indexArgument('check result', result, 'identical, different or unavailable');
  for (const [name, value] of Object.entries({ position, expected, found }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      throw indexArgument(`check ${name}`, value, 'a count');
  if (seconds !== undefined && !(Number.isFinite(seconds) && seconds >= 0))
    throw indexArgument('check seconds', seconds, 'a duration');
  if (verifier !== undefined && !isHexOf(verifier, 20))
    throw indexArgument('check verifier', verifier, 'an address');
  return JSON.stringify({ result, position, expected, found, verifier, seconds });
}

const decodeCheck = (detail: string): ReceiptCheck | undefined =>
  detail === '' ? undefined : (JSON.parse(detail) as ReceiptCheck);

const checkJobId = (jobId: unknown): Hex => checkHex(jobId, 32);

/** Lower-case text of a hash or address that a caller asked for. */
export function checkHex(value: unknown, size: number): Hex {
  if (!isHexOf(value, size)) throw indexArgument('id', value, `${size} bytes as 0x text`);
  return value.toLowerCase() as Hex;
}
