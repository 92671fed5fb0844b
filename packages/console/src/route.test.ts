import { describe, expect, it } from 'vitest';
import { isJobId, parseRoute, receiptHref } from './route.js';

const ID = `0x${'ab'.repeat(32)}`;

describe('parseRoute', () => {
  it('knows the three views', () => {
    expect(['', '#', '#/', '#/network', '#/receipts'].map((hash) => parseRoute(hash).view)).toEqual(
      ['ask', 'ask', 'ask', 'network', 'receipts'],
    );
  });
  it('reads a receipt id in either case', () => {
    const shouted = `#/receipts/0x${'AB'.repeat(32)}`;
    expect(parseRoute(shouted)).toEqual({ view: 'receipts', jobId: ID });
    expect(parseRoute(receiptHref(ID))).toEqual({ view: 'receipts', jobId: ID });
  });
  it('passes on no id that is none', () => {
    expect(parseRoute('#/receipts/0x12')).toEqual({ view: 'receipts' });
    expect(parseRoute('#/receipts/..%2fmodels')).toEqual({ view: 'receipts' });
  });
  it('leads anything else to the chat', () => expect(parseRoute('#/x/y')).toEqual({ view: 'ask' }));
});

describe('isJobId', () => {
  it('wants 32 bytes', () => {
    expect([ID, `${ID}0`, ID.slice(2), '0x'].map(isJobId)).toEqual([true, false, false, false]);
  });
});
