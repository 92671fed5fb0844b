/**
 * The tables of the index, the same text for SQLite and PostgreSQL. Four kinds, and each rolls back in its own way:
 *
 * - `cursor`, `checkpoints`: how far the chain was followed; bookkeeping, not part of what is compared.
 * - `blocks`, `logs`, `claims`, `epochs`: one row per thing that happened; cut at a block number.
 * - `offers`, `models`, `channels`, `lanes`, `exits`, `accounts`, `stakes`, `seats`, `draws`, `audits`, `reports`:
 * state folded from `logs`; folded again per subject.
 * - `money`, `earnings`, `audit_sums`: exact sums over state rows; they follow every change of a row by its difference.
 * - `receipts`, `envelopes`, `usage`: what nodes tell each other off chain; no chain event touches them.
 *
 * Amounts are decimal text, because uint256 fits no integer type of either database and sums must stay exact.
 * Addresses and hashes are lower-case `0x` text.
 */

/** Raised when a table changes its meaning; another version is refused, never reinterpreted. */
export const SCHEMA_VERSION = '3';

export type CursorRow = {
  readonly id: number;
  readonly chain_id: number;
  readonly genesis_hash: string;
  /** JSON of the contracts followed and the first block. */
  readonly followed: string;
  readonly block_number: number;
  readonly block_hash: string;
};

export type BlockRow = {
  readonly block_number: number;
  readonly block_hash: string;
  readonly timestamp_seconds: number;
};

export type LogRow = {
  readonly block_number: number;
  readonly log_index: number;
  readonly block_hash: string;
  readonly transaction_hash: string;
  readonly contract: string;
  readonly event: string;
  readonly subject: string;
  /** Topics joined by commas. */
  readonly topics: string;
  readonly data: string;
};

export type OfferRow = {
  readonly offer_id: string;
  readonly provider: string;
  readonly model_id: string;
  readonly tier: number;
  readonly input_price: string;
  readonly output_price: string;
  readonly endpoint: string;
  /** 0 once withdrawn. */
  readonly active: number;
  /** Block of the last change. */
  readonly block_number: number;
};

export type ModelRow = {
  readonly model_id: string;
  readonly registrant: string;
  readonly uri: string;
  readonly weights_root: string;
  readonly graph_root: string;
  readonly tables_root: string;
  readonly tokenizer_hash: string;
  readonly template_hash: string;
  readonly bounds_hash: string;
  readonly spec_id: string;
  readonly block_number: number;
};

export type ChannelRow = {
  readonly channel_id: string;
  readonly payer: string;
  readonly payer_authorizer: string;
  readonly receiver: string;
  readonly receiver_authorizer: string;
  readonly token: string;
  readonly withdraw_delay_seconds: number;
  readonly salt: string;
  readonly deposited: string;
  readonly claimed: string;
  readonly refunded: string;
  readonly withdrawn: string;
  readonly block_number: number;
};

/** What a payer asked back, and from when it may be taken; it may ask before the channel is opened. */
export type ExitRow = {
  readonly channel_id: string;
  readonly amount: string;
  readonly ready_at_seconds: number;
};

export type LaneRow = {
  readonly channel_id: string;
  readonly lane: number;
  readonly claimed: string;
  readonly receipt_root: string;
};

/** What a receiver was paid out; the claims of its channels less this are still held for it. */
export type AccountRow = {
  /** receiver:token */
  readonly account_id: string;
  readonly receiver: string;
  readonly token: string;
  readonly settled: string;
};

export type StakeRow = {
  readonly provider: string;
  /** What is at risk now: deposited - withdrawn - slashed - charged. */
  readonly staked: string;
  readonly deposited: string;
  readonly withdrawn: string;
  readonly slashed: string;
  /** Fees of audits. */
  readonly charged: string;
  /** Amount on its way out (still at risk), and from when it may be taken. */
  readonly exit_amount: string;
  readonly exit_at_seconds: number;
};

export type ClaimRow = {
  readonly block_number: number;
  readonly log_index: number;
  readonly channel_id: string;
  readonly lane: number;
  readonly amount: string;
  readonly receipt_root: string;
};

export type EpochRow = {
  readonly block_number: number;
  readonly log_index: number;
  readonly provider: string;
  /** uint64 of the provider's choice, so text. */
  readonly epoch: string;
  readonly root: string;
  readonly receipt_count: string;
  readonly price_total: string;
};

/** Sums over one kind of money that a contract holds: `channels:0x…token`, or `stake`. */
export type MoneyRow = {
  readonly pot: string;
  readonly rows: number;
  readonly deposited: string;
  readonly claimed: string;
  readonly settled: string;
  readonly refunded: string;
  readonly withdrawn: string;
  readonly slashed: string;
  readonly charged: string;
};

export type EarningsRow = {
  /** receiver:token */
  readonly account_id: string;
  readonly rows: number;
  readonly claimed: string;
  readonly settled: string;
};

/** One bond of a verifier (`contracts/dispute/IAudits.sol`). */
export type SeatRow = {
  /** `seat:` and its number. */
  readonly seat_id: string;
  readonly seat: number;
  readonly holder: string;
  /** 0 taken, 1 asked to leave, 2 left. */
  readonly state: number;
  readonly ready_at_seconds: number;
  /** What came back of the bond. */
  readonly returned: string;
  readonly block_number: number;
};

/** An epoch of which it is decided which receipts are audited. */
export type DrawRow = {
  /** provider:epoch */
  readonly draw_id: string;
  readonly provider: string;
  readonly epoch: string;
  readonly beacon: string;
  readonly receipt_count: string;
  readonly seat_count: number;
  readonly posted_block: number;
  readonly drawn_at_seconds: number;
  readonly block_number: number;
};

/** A receipt of a drawn epoch that somebody reported on, answered for, or planted. */
export type AuditRow = {
  readonly draw_id: string;
  readonly receipt_index: string;
  /** Empty until the chain says which job it is: by an answer, an opened plant, or a settlement. */
  readonly job_id: string;
  /** What the provider answered, or empty. */
  readonly root: string;
  /** 1 if the fault in it was planted. */
  readonly planted: number;
  /** Block of the last change. */
  readonly block_number: number;
};

/** One place of an audit. Numbers are those of the contract. */
export type ReportRow = {
  readonly draw_id: string;
  readonly receipt_index: string;
  readonly place: number;
  readonly holder: string;
  readonly finding: number;
  readonly root: string;
  readonly outcome: number;
  readonly amount: string;
  readonly block_number: number;
};

/** Sums over the audits of the `network` and of `provider:0x…`. */
export type AuditSumRow = {
  readonly sum_id: string;
  readonly rows: number;
  /** Audits that somebody committed a report to. */
  readonly audits: number;
  readonly found_right: number;
  readonly found_wrong: number;
  readonly abstained: number;
  readonly paid: number;
  readonly unpaid: number;
  readonly absent: number;
  readonly forfeited: number;
  /** Fees paid, and bonds and penalties lost. */
  readonly fees: string;
  readonly lost: string;
};

export type ReceiptRow = {
  readonly job_id: string;
  readonly envelope_hash: string;
  readonly model_id: string;
  readonly provider: string;
  readonly requester: string;
  readonly channel_id: string;
  readonly lane: number;
  readonly tier: number;
  readonly input_count: number;
  readonly output_count: number;
  readonly price: string;
  readonly finish: number;
  readonly created_at_ms: number;
  /** `identical`, `different`, `invalid`, `unavailable`, or empty while nobody checked. */
  readonly check_result: string;
  /** JSON of the check, or empty. */
  readonly check_detail: string;
};

export type EnvelopeRow = { readonly envelope_hash: string; readonly body: string };

/** Sums over receipts: of the `network`, of `provider:0x…`, of `model:0x…`. */
export type UsageRow = {
  readonly usage_id: string;
  readonly requests: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly paid: string;
  readonly verified: number;
  readonly different: number;
};

export type Tables = {
  meta: { readonly name: string; readonly value: string };
  cursor: CursorRow;
  checkpoints: { readonly block_number: number; readonly block_hash: string };
  blocks: BlockRow;
  logs: LogRow;
  offers: OfferRow;
  models: ModelRow;
  channels: ChannelRow;
  lanes: LaneRow;
  exits: ExitRow;
  accounts: AccountRow;
  stakes: StakeRow;
  claims: ClaimRow;
  epochs: EpochRow;
  seats: SeatRow;
  draws: DrawRow;
  audits: AuditRow;
  reports: ReportRow;
  audit_sums: AuditSumRow;
  money: MoneyRow;
  earnings: EarningsRow;
  receipts: ReceiptRow;
  envelopes: EnvelopeRow;
  usage: UsageRow;
};

const SCHEMA_TEXT = `
create table if not exists meta (name text primary key, value text not null);
create table if not exists cursor (
  id integer primary key, chain_id bigint not null, genesis_hash text not null, followed text not null,
  block_number bigint not null, block_hash text not null);
create table if not exists checkpoints (block_number bigint primary key, block_hash text not null);
create table if not exists blocks (
  block_number bigint primary key, block_hash text not null, timestamp_seconds bigint not null);
create table if not exists logs (
  block_number bigint not null, log_index integer not null, block_hash text not null,
  transaction_hash text not null, contract text not null, event text not null, subject text not null,
  topics text not null, data text not null, primary key (block_number, log_index));
create index if not exists logs_subject on logs (subject, block_number, log_index);
create table if not exists offers (
  offer_id text primary key, provider text not null, model_id text not null, tier integer not null,
  input_price text not null, output_price text not null, endpoint text not null,
  active integer not null, block_number bigint not null);
create index if not exists offers_model on offers (model_id);
create index if not exists offers_provider on offers (provider);
create table if not exists models (
  model_id text primary key, registrant text not null, uri text not null, weights_root text not null,
  graph_root text not null, tables_root text not null, tokenizer_hash text not null,
  template_hash text not null, bounds_hash text not null, spec_id text not null,
  block_number bigint not null);
create table if not exists channels (
  channel_id text primary key, payer text not null, payer_authorizer text not null,
  receiver text not null, receiver_authorizer text not null, token text not null,
  withdraw_delay_seconds bigint not null, salt text not null, deposited text not null,
  claimed text not null, refunded text not null, withdrawn text not null,
  block_number bigint not null);
create table if not exists exits (
  channel_id text primary key, amount text not null, ready_at_seconds bigint not null);
create index if not exists channels_payer on channels (payer);
create index if not exists channels_receiver on channels (receiver);
create table if not exists lanes (
  channel_id text not null, lane integer not null, claimed text not null, receipt_root text not null,
  primary key (channel_id, lane));
create table if not exists accounts (
  account_id text primary key, receiver text not null, token text not null, settled text not null);
create table if not exists stakes (
  provider text primary key, staked text not null, deposited text not null,
  withdrawn text not null, slashed text not null, charged text not null,
  exit_amount text not null, exit_at_seconds bigint not null);
create table if not exists claims (
  block_number bigint not null, log_index integer not null, channel_id text not null,
  lane integer not null, amount text not null, receipt_root text not null,
  primary key (block_number, log_index));
create index if not exists claims_channel on claims (channel_id);
create table if not exists epochs (
  block_number bigint not null, log_index integer not null, provider text not null, epoch text not null,
  root text not null, receipt_count text not null, price_total text not null,
  primary key (block_number, log_index));
create index if not exists epochs_provider on epochs (provider);
create table if not exists seats (
  seat_id text primary key, seat bigint not null, holder text not null, state integer not null,
  ready_at_seconds bigint not null, returned text not null, block_number bigint not null);
create index if not exists seats_holder on seats (holder);
create table if not exists draws (
  draw_id text primary key, provider text not null, epoch text not null, beacon text not null,
  receipt_count text not null, seat_count bigint not null, posted_block bigint not null,
  drawn_at_seconds bigint not null, block_number bigint not null);
create table if not exists audits (
  draw_id text not null, receipt_index text not null, job_id text not null, root text not null,
  planted integer not null, block_number bigint not null, primary key (draw_id, receipt_index));
create index if not exists audits_job on audits (job_id);
create index if not exists audits_block on audits (block_number);
create table if not exists reports (
  draw_id text not null, receipt_index text not null, place integer not null, holder text not null,
  finding integer not null, root text not null, outcome integer not null, amount text not null,
  block_number bigint not null, primary key (draw_id, receipt_index, place));
create table if not exists audit_sums (
  sum_id text primary key, rows bigint not null, audits bigint not null, found_right bigint not null,
  found_wrong bigint not null, abstained bigint not null, paid bigint not null, unpaid bigint not null,
  absent bigint not null, forfeited bigint not null, fees text not null, lost text not null);
create table if not exists money (
  pot text primary key, rows bigint not null, deposited text not null, claimed text not null,
  settled text not null, refunded text not null, withdrawn text not null, slashed text not null,
  charged text not null);
create table if not exists earnings (
  account_id text primary key, rows bigint not null, claimed text not null, settled text not null);
create table if not exists receipts (
  job_id text primary key, envelope_hash text not null, model_id text not null, provider text not null,
  requester text not null, channel_id text not null, lane integer not null, tier integer not null,
  input_count integer not null, output_count integer not null, price text not null,
  finish integer not null, created_at_ms bigint not null, check_result text not null,
  check_detail text not null);
create index if not exists receipts_created on receipts (created_at_ms, job_id);
create index if not exists receipts_provider on receipts (provider, created_at_ms);
create index if not exists receipts_channel on receipts (channel_id, lane);
create table if not exists envelopes (envelope_hash text primary key, body text not null);
create table if not exists usage (
  usage_id text primary key, requests bigint not null, input_tokens bigint not null,
  output_tokens bigint not null, paid text not null, verified bigint not null,
  different bigint not null);
`;

/** Statements that create what is absent, in order. */
export const SCHEMA: readonly string[] = SCHEMA_TEXT.split(';')
  .map((statement) => statement.trim())
  .filter((statement) => statement !== '');
