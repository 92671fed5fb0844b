import { privateKeyToAccount } from 'viem/accounts';
import { describe, expect, it } from 'vitest';
import { LOCAL_CHAIN_ID } from './chain-engine.js';
import { LOCAL_FAUCET_KEY, localAccount, requireLocalChain } from './local-accounts.js';

describe('localAccount', () => {
  it('gives the account of the faucet key first', () => {
    const first = localAccount({ chainId: LOCAL_CHAIN_ID, index: 0 });
    expect(first.address).toBe(privateKeyToAccount(LOCAL_FAUCET_KEY).address);
  });

  it('gives no key for another chain', () => {
    const refusal = expect.objectContaining({ code: 'wrong_chain', value: '1' });
    expect(() => localAccount({ chainId: 1, index: 0 })).toThrow(refusal);
    expect(() => requireLocalChain(1)).toThrow(refusal);
  });

  it('has ten accounts', () => {
    for (const index of [-1, 10, 0.5]) {
      expect(() => localAccount({ chainId: LOCAL_CHAIN_ID, index })).toThrow(RangeError);
    }
  });
});
