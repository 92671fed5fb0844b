/**
 * The funded accounts of the embedded chain. Their keys are printed in every tutorial of the field: they
 * hold play money on {@link LOCAL_CHAIN_ID} and must never sign anything for another chain.
 */
import { assert, type Hex, toHex } from '@assay/protocol';
import { mnemonicToAccount, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';
import { LOCAL_CHAIN_ID } from './chain-engine.js';
import { wrongChain } from './chain-errors.js';

/** The published development phrase that anvil funds by default. */
export const LOCAL_MNEMONIC = 'test test test test test test test test test test test junk';

/** Well-known key of the first account; local chain only, see {@link requireLocalChain}. */
export const LOCAL_FAUCET_KEY: Hex =
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

/** anvil funds this many accounts with 10,000 units of gas money each. */
export const LOCAL_ACCOUNTS_COUNT = 10;

/** Throws `wrong_chain` unless the chain is the local one. */
export function requireLocalChain(chainId: number): void {
  if (chainId !== LOCAL_CHAIN_ID) throw wrongChain(chainId, LOCAL_CHAIN_ID);
}

export type LocalAccountOptions = { readonly chainId: number; readonly index: number };

/** A funded account, given out only for the local chain. */
export function localAccount({ chainId, index }: LocalAccountOptions): PrivateKeyAccount {
  requireLocalChain(chainId);
  if (!Number.isInteger(index) || index < 0 || index >= LOCAL_ACCOUNTS_COUNT) {
    throw new RangeError(`local account index ${index} is not below ${LOCAL_ACCOUNTS_COUNT}`);
  }
  const { privateKey } = parentKey().deriveChild(index);
  assert(privateKey !== null, 'a parent with a private key has children with one');
  return privateKeyToAccount(toHex(privateKey));
}

type ParentKey = ReturnType<ReturnType<typeof mnemonicToAccount>['getHdKey']>;
let parent: ParentKey | undefined;

/** Kept: stretching the phrase takes longer than signing a hundred transactions. */
function parentKey(): ParentKey {
  parent ??= mnemonicToAccount(LOCAL_MNEMONIC, { path: "m/44'/60'/0'/0" }).getHdKey();
  return parent;
}
