/**
 * What each event does to the rows of its subject: the index's side of the contracts' state machines, pure. The same
 * rules run for a page, for a rollback and for an audit. Source: the events in `contracts/` and their comments.
 */

import { applyAudits } from './audit-rules.js';
import { indexHistoryMissing } from './errors.js';
import type { ChainEvent, EventOf } from './events.js';
import { lower } from './events.js';
import type { ChannelRow, ClaimRow, EpochRow, StakeRow } from './schema.js';
import { rowKey, type State } from './state.js';
import { accountId } from './sums.js';

/** Rows that record one event each. */
export type History = { readonly claims: ClaimRow[]; readonly epochs: EpochRow[] };

/** Applies one event to `state`, replacing rows; events that are facts of their own go to `history`. */
export function applyEvent(state: State, history: History, event: ChainEvent): void {
  if (event.contract === 'channels') applyChannels(state, history, event);
  else if (event.contract === 'stake') applyStake(state, event);
  else if (event.contract === 'offers') applyOffers(state, event);
  else if (event.contract === 'modelRegistry') applyModels(state, event);
  else if (event.contract === 'audits') applyAudits(state, event);
  else history.epochs.push(epochRow(event));
}

function applyChannels(state: State, history: History, event: EventOf<'channels'>): void {
  const name = event.eventName;
  if (name === 'ChannelOpened') openChannel(state, event);
  else if (name === 'Deposited') addToChannel(state, event, 'deposited');
  else if (name === 'Claimed') claim(state, history, event);
  else if (name === 'Settled') settle(state, event);
  else if (name === 'Refunded') addToChannel(state, event, 'refunded');
  else if (name === 'WithdrawInitiated') setExit(state, event.args);
  else {
    setExit(state, { ...event.args, amount: 0n, readyAt: 0 });
    addToChannel(state, event, 'withdrawn');
  }
}

function addToChannel(
  state: State,
  event: Extract<ChainEvent, { eventName: 'Deposited' | 'Refunded' | 'WithdrawFinalized' }>,
  column: 'deposited' | 'refunded' | 'withdrawn',
): void {
  const row = channelOf(state, event);
  const sum = plus(row[column], event.args.amount);
  const changed = { ...row, [column]: sum, block_number: event.blockNumber };
  state.channels.set(row.channel_id, changed);
}

/** Apart from the channel, because anyone may ask for an exit from a channel that was never opened. */
function setExit(
  state: State,
  exit: { readonly channelId: string; readonly amount: bigint; readonly readyAt: number },
): void {
  state.exits.set(exit.channelId, {
    channel_id: exit.channelId,
    amount: exit.amount.toString(),
    ready_at_seconds: exit.amount === 0n ? 0 : exit.readyAt,
  });
}

function settle(state: State, event: Extract<ChainEvent, { eventName: 'Settled' }>): void {
  const receiver = lower(event.args.receiver);
  const token = lower(event.args.token);
  const key = accountId(receiver, token);
  const settled = plus(state.accounts.get(key)?.settled ?? '0', event.args.amount);
  state.accounts.set(key, { account_id: key, receiver, token, settled });
}

/** A channel that was emptied may be opened again; its terms are its id, so nothing changes then. */
function openChannel(
  state: State,
  event: Extract<ChainEvent, { eventName: 'ChannelOpened' }>,
): void {
  const { channelId, config } = event.args;
  if (state.channels.has(channelId)) return;
  state.channels.set(channelId, {
    channel_id: channelId,
    payer: lower(config.payer),
    payer_authorizer: lower(config.payerAuthorizer),
    receiver: lower(config.receiver),
    receiver_authorizer: lower(config.receiverAuthorizer),
    token: lower(config.token),
    withdraw_delay_seconds: config.withdrawDelay,
    salt: config.salt,
    deposited: '0',
    claimed: '0',
    refunded: '0',
    withdrawn: '0',
    block_number: event.blockNumber,
  });
}

/** The event tells the lane's new total; what was paid is the difference to the old one. */
function claim(
  state: State,
  history: History,
  event: Extract<ChainEvent, { eventName: 'Claimed' }>,
): void {
  const { channelId, lane, laneClaimed, receiptRoot } = event.args;
  const row = channelOf(state, event);
  const key = rowKey(channelId, lane);
  const before = state.lanes.get(key);
  const amount = laneClaimed - BigInt(before?.claimed ?? '0');
  // x402 vouchers carry no root; the last one that a payer acknowledged stays.
  const root = BigInt(receiptRoot) === 0n ? (before?.receipt_root ?? receiptRoot) : receiptRoot;
  const { blockNumber: block_number, logIndex: log_index } = event;
  state.lanes.set(key, {
    channel_id: channelId,
    lane,
    claimed: laneClaimed.toString(),
    receipt_root: root,
  });
  state.channels.set(channelId, { ...row, claimed: plus(row.claimed, amount), block_number });
  history.claims.push({
    block_number,
    log_index,
    channel_id: channelId,
    lane,
    amount: amount.toString(),
    receipt_root: receiptRoot,
  });
}

function channelOf(
  state: State,
  event: { readonly args: { readonly channelId: string }; readonly blockNumber: number },
): ChannelRow {
  const row = state.channels.get(event.args.channelId);
  if (row === undefined) throw indexHistoryMissing(event.args.channelId, event.blockNumber);
  return row;
}

function applyStake(state: State, event: EventOf<'stake'>): void {
  const provider = lower(event.args.provider);
  const row = state.stakes.get(provider) ?? noStake(provider);
  const next = { ...row, ...stakeChange(row, event) };
  const { deposited, withdrawn, slashed, charged } = next;
  const staked = BigInt(deposited) - BigInt(withdrawn) - BigInt(slashed) - BigInt(charged);
  state.stakes.set(provider, { ...next, staked: staked.toString() });
}

function stakeChange(row: StakeRow, event: EventOf<'stake'>): Partial<StakeRow> {
  const { amount } = event.args;
  switch (event.eventName) {
    case 'StakeDeposited':
      return { deposited: plus(row.deposited, amount) };
    case 'StakeWithdrawalRequested':
      return { exit_amount: amount.toString(), exit_at_seconds: Number(event.args.readyAt) };
    case 'StakeWithdrawn': {
      const withdrawn = plus(row.withdrawn, amount);
      return { withdrawn, exit_amount: '0', exit_at_seconds: 0 };
    }
    case 'StakeSlashed':
      return { slashed: plus(row.slashed, amount), exit_amount: exitOf(row, event.args.staked) };
    case 'StakeCharged':
      return { charged: plus(row.charged, amount), exit_amount: exitOf(row, event.args.staked) };
  }
}

/** No more is on its way out than there is. */
const exitOf = (row: StakeRow, staked: bigint): string =>
  (BigInt(row.exit_amount) > staked ? staked : BigInt(row.exit_amount)).toString();

const noStake = (provider: string): StakeRow => ({
  provider,
  staked: '0',
  deposited: '0',
  withdrawn: '0',
  slashed: '0',
  charged: '0',
  exit_amount: '0',
  exit_at_seconds: 0,
});

function applyOffers(state: State, event: EventOf<'offers'>): void {
  const { blockNumber: block_number } = event;
  const { offerId } = event.args;
  if (event.eventName === 'OfferWithdrawn') {
    const row = state.offers.get(offerId);
    if (row === undefined) throw indexHistoryMissing(offerId, block_number);
    state.offers.set(offerId, { ...row, active: 0, block_number });
    return;
  }
  const { provider, modelId, terms, endpoint } = event.args;
  state.offers.set(offerId, {
    offer_id: offerId,
    provider: lower(provider),
    model_id: modelId,
    tier: terms.tier,
    input_price: terms.inputPrice.toString(),
    output_price: terms.outputPrice.toString(),
    endpoint: cleanText(endpoint),
    active: 1,
    block_number,
  });
}

function applyModels(state: State, event: EventOf<'modelRegistry'>): void {
  const { modelId, registrant, model, uri } = event.args;
  state.models.set(modelId, {
    model_id: modelId,
    registrant: lower(registrant),
    uri: cleanText(uri),
    weights_root: model.weightsRoot,
    graph_root: model.graphRoot,
    tables_root: model.tablesRoot,
    tokenizer_hash: model.tokenizerHash,
    template_hash: model.templateHash,
    bounds_hash: model.boundsHash,
    spec_id: model.specId,
    block_number: event.blockNumber,
  });
}

const epochRow = (event: EventOf<'receipts'>): EpochRow => ({
  block_number: event.blockNumber,
  log_index: event.logIndex,
  provider: lower(event.args.provider),
  epoch: event.args.epoch.toString(),
  root: event.args.root,
  receipt_count: event.args.count.toString(),
  price_total: event.args.priceTotal.toString(),
});

const plus = (amount: string, more: bigint): string => (BigInt(amount) + more).toString();

/**
 * Text that a stranger put on chain (the contracts bound its length), without control characters: PostgreSQL refuses
 * NUL and SQLite cuts at it, so one hostile endpoint would stop every index or make two of them differ.
 */
export const cleanText = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
