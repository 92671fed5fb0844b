import { describe, expect, it } from 'vitest';
import { ACTIVITY_ITEMS_MAX, type ActivityItem, type NetworkAnswer } from '../gateway.js';
import {
  applyNetworkEvent,
  type NetworkState,
  NO_NETWORK,
  readNetworkEvent,
  totalEarned,
  withItem,
} from './network-state.js';

const item = (jobId: string, createdAt: number): ActivityItem => ({
  jobId,
  model: 'm',
  provider: '0x01',
  inputCount: 1,
  outputCount: 2,
  price: '3',
  createdAt,
  finish: 0,
  check: null,
});

const NETWORK: NetworkAnswer = {
  chain: { id: 31337, rpc: 'http://127.0.0.1:8545', block: 10 },
  gateway: { url: 'http://127.0.0.1:8787' },
  contracts: { receipts: '0x' },
  providers: [],
  requests: { count: 0, tokens: 0, paid: '0', verified: 0 },
};
const STATE: NetworkState = {
  ...NO_NETWORK,
  network: NETWORK,
  items: [item('b', 2), item('a', 1)],
};

describe('readNetworkEvent', () => {
  it('reads activity, nested or flat', () => {
    const expected = { type: 'activity', item: expect.objectContaining({ jobId: 'a' }) };
    expect(readNetworkEvent(JSON.stringify({ type: 'activity', item: item('a', 1) }))).toEqual(
      expected,
    );
    expect(readNetworkEvent(JSON.stringify({ type: 'activity', ...item('a', 1) }))).toEqual(
      expected,
    );
  });
  it('reads checks and blocks', () => {
    const check = { result: 'identical' };
    expect(readNetworkEvent(JSON.stringify({ type: 'check', jobId: 'a', check }))).toEqual({
      type: 'check',
      jobId: 'a',
      check,
    });
    expect(readNetworkEvent('{"type":"block","block":7}')).toEqual({ type: 'block', block: 7 });
  });
  it('passes over what it does not know', () => {
    const strange = ['', '{', '7', 'null', '{"type":"tide"}', '{"type":"block","block":"x"}'];
    const halves = ['{"type":"check","jobId":"a"}', '{"type":"activity","jobId":1}'];
    expect([...strange, ...halves].map(readNetworkEvent)).toEqual(Array(8).fill(null));
  });
});

describe('applyNetworkEvent', () => {
  it('puts a new job first', () => {
    const next = applyNetworkEvent(STATE, { type: 'activity', item: item('c', 3) });
    expect(next.items.map(({ jobId }) => jobId)).toEqual(['c', 'b', 'a']);
  });
  it('marks the checked job only', () => {
    const check = { result: 'identical' } as const;
    const next = applyNetworkEvent(STATE, { type: 'check', jobId: 'a', check });
    expect(next.items.map((row) => row.check)).toEqual([null, check]);
  });
  it('never turns the chain back', () => {
    const later = applyNetworkEvent(STATE, { type: 'block', block: 12 });
    expect(later.network?.chain.block).toBe(12);
    expect(applyNetworkEvent(later, { type: 'block', block: 11 }).network?.chain.block).toBe(12);
  });
  it('has no chain to advance before the first answer', () => {
    expect(applyNetworkEvent(NO_NETWORK, { type: 'block', block: 1 })).toBe(NO_NETWORK);
  });
});

describe('withItem', () => {
  it('keeps a job that is told twice as one row', () => {
    expect(withItem(STATE.items, item('b', 2)).map(({ jobId }) => jobId)).toEqual(['b', 'a']);
  });
  it('keeps the newest', () => {
    let items: readonly ActivityItem[] = [];
    for (let i = 0; i < ACTIVITY_ITEMS_MAX + 5; i++) items = withItem(items, item(`${i}`, i));
    expect(items).toHaveLength(ACTIVITY_ITEMS_MAX);
    expect(items[0]?.jobId).toBe(`${ACTIVITY_ITEMS_MAX + 4}`);
  });
});

describe('totalEarned', () => {
  it('adds beyond 2^53', () => {
    const provider = { address: '0x01', endpoint: '', models: [], stake: '0', online: true };
    const providers = ['9007199254740993', '2', 'x'].map((earned) => ({ ...provider, earned }));
    expect(totalEarned({ ...NETWORK, providers })).toBe(9007199254740995n);
  });
});
