import { describe, expect, it } from 'vitest';
import { routeOf, withTimeOfNextBlock } from './rpc-methods.js';

describe('routeOf', () => {
  it('serves reads and signed transactions', () => {
    expect(routeOf('eth_getLogs')).toBe('read');
    expect(routeOf('eth_call')).toBe('readAtNow');
    expect(routeOf('eth_sendRawTransaction')).toBe('submit');
  });

  it.each([
    'anvil_setBalance',
    'evm_mine',
    'evm_increaseTime',
    'hardhat_impersonateAccount',
    'debug_traceTransaction',
    'txpool_content',
    'eth_sendTransaction',
    'eth_sign',
    'eth_signTypedData_v4',
    'eth_newFilter',
    'constructor',
    '',
  ])('does not serve %s', (method) => {
    expect(routeOf(method)).toBeUndefined();
  });
});

describe('withTimeOfNextBlock', () => {
  const call = { to: '0x01' };
  const now = { time: '0x65' };

  it('gives calls at the newest block the time of the next one', () => {
    expect(withTimeOfNextBlock([call], 101)).toEqual([call, 'latest', null, now]);
    expect(withTimeOfNextBlock([call, 'pending'], 101)).toEqual([call, 'pending', null, now]);
    expect(withTimeOfNextBlock([call, 'latest', { a: 1 }], 101)[2]).toEqual({ a: 1 });
  });

  it('leaves calls at other blocks, and those with their own time, as they are', () => {
    for (const params of [
      [call, '0x1'],
      [call, { blockNumber: '0x1' }],
      [call, 'latest', null, { time: '0x1' }],
    ]) {
      expect(withTimeOfNextBlock(params, 101)).toEqual(params);
    }
  });
});
