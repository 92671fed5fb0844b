/**
 * What the page knows of the network, and how each message changes it. Pure; times arrive as
 * parameters.
 */
import type { Failure } from '../conversation.js';
import {
  ACTIVITY_ITEMS_MAX,
  type ActivityItem,
  type AuditAnswer,
  type Check,
  type NetworkAnswer,
} from '../gateway.js';

/**
 * `live`: events arrive; `polling`: asked for every few seconds; `offline`: the last attempt
 * failed.
 */
export type Link = 'connecting' | 'live' | 'polling' | 'offline';

export type NetworkState = {
  readonly link: Link;
  readonly network: NetworkAnswer | null;
  readonly items: readonly ActivityItem[];
  readonly audits: readonly AuditAnswer[];
  readonly freshAtMs: number | null;
  readonly failure: Failure | null;
};

export const NO_NETWORK: NetworkState = {
  link: 'connecting',
  network: null,
  items: [],
  audits: [],
  freshAtMs: null,
  failure: null,
};

export type NetworkEvent =
  | { readonly type: 'activity'; readonly item: ActivityItem }
  | { readonly type: 'check'; readonly jobId: string; readonly check: Check }
  | { readonly type: 'block'; readonly block: number };

/** Reads one event of `/v1/network/events`; `null` for kinds that this page does not know. */
export function readNetworkEvent(data: string): NetworkEvent | null {
  const event = parseRecord(data);
  switch (event.type) {
    case 'activity':
      return readActivity(isRecord(event.item) ? event.item : event);
    case 'check':
      return readCheck(event);
    case 'block':
      return readBlock(event.block ?? event.number ?? event.height);
    default:
      return null;
  }
}

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

function parseRecord(data: string): Fields {
  try {
    const value: unknown = JSON.parse(data);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

const readActivity = (item: Fields): NetworkEvent | null =>
  typeof item.jobId === 'string' && typeof item.createdAt === 'number'
    ? { type: 'activity', item: item as unknown as ActivityItem }
    : null;

function readCheck(event: Fields): NetworkEvent | null {
  const check = isRecord(event.check) ? event.check : event;
  if (typeof event.jobId !== 'string' || typeof check.result !== 'string') return null;
  return { type: 'check', jobId: event.jobId, check: check as unknown as Check };
}

function readBlock(height: unknown): NetworkEvent | null {
  const block = Number(height);
  return Number.isSafeInteger(block) && block >= 0 ? { type: 'block', block } : null;
}

export function applyNetworkEvent(state: NetworkState, event: NetworkEvent): NetworkState {
  switch (event.type) {
    case 'activity':
      return { ...state, items: withItem(state.items, event.item) };
    case 'check':
      return {
        ...state,
        items: state.items.map((item) =>
          item.jobId === event.jobId ? { ...item, check: event.check } : item,
        ),
      };
    case 'block':
      return state.network === null
        ? state
        : { ...state, network: withBlock(state.network, event.block) };
  }
}

/** Newest first, each job once: a job that is told twice (event and list) stays one row. */
export function withItem(
  items: readonly ActivityItem[],
  item: ActivityItem,
): readonly ActivityItem[] {
  const others = items.filter((other) => other.jobId !== item.jobId);
  return [item, ...others].sort((a, b) => b.createdAt - a.createdAt).slice(0, ACTIVITY_ITEMS_MAX);
}

/** A late event never turns the chain back; only a fresh answer of the gateway may. */
const withBlock = (network: NetworkAnswer, block: number): NetworkAnswer => ({
  ...network,
  chain: { ...network.chain, block: Math.max(block, network.chain.block) },
});

/** Everything that providers earned, in atomic units. */
export const totalEarned = (network: NetworkAnswer): bigint =>
  network.providers.reduce(
    (sum, { earned }) => (/^\d+$/.test(earned) ? sum + BigInt(earned) : sum),
    0n,
  );
