import type { Address, Hex } from '@assay/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type ChainEngine,
  LOCAL_CHAIN_ID,
  LOCAL_FAUCET_KEY,
  localAccount,
  startEmbeddedChain,
} from '../chain/index.js';
import { temporaryHome } from '../chain/testing/chain-kit.js';
import { openChain } from '../chain-access.js';
import { loadKey } from '../home.js';
import { deploy } from './deploy.js';
import { wallet } from './wallet.js';

const home = temporaryHome();
const faucet = localAccount({ chainId: LOCAL_CHAIN_ID, index: 0 });
let chain: ChainEngine;
let output: string;

beforeAll(async () => {
  chain = await startEmbeddedChain({ home, port: 0 });
}, 60_000);
afterAll(() => chain.stop());
beforeEach(() => {
  vi.stubEnv('ASSAY_DEPLOYER_KEY', LOCAL_FAUCET_KEY);
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const options = () => ({ home, json: true, rpc: chain.rpcUrl });
const printed = () => JSON.parse(output);

/** Creation code of a contract that answers every call with one number. */
const answering = (value: number): Hex =>
  `0x69${`60${value.toString(16).padStart(2, '0')}60005260206000f3`}600052600a6016f3`;

async function create(data: Hex): Promise<Address> {
  const { read, write } = await openChain(chain.rpcUrl, faucet);
  const hash = await write.sendTransaction({ data });
  return (await read.waitForTransactionReceipt({ hash })).contractAddress!;
}

/** Creation code of a contract that reverts every call: a token without `decimals`. */
const REVERTING: Hex = '0x6460006000fd6000526005601bf3';

describe('assay deploy --token', { timeout: 60_000 }, () => {
  const refusal = async (token: string) =>
    deploy({ ...options(), token }).then(
      () => 'deployed',
      (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
    );

  it('refuses an address without a contract', async () => {
    expect(await refusal(`0x${'12'.repeat(20)}`)).toMatch(/^token_unfit: .*no contract/);
  });

  it('refuses a contract that does not say its decimals', async () => {
    expect(await refusal(await create(REVERTING))).toMatch(/^token_unfit: .*does not say/);
  });

  it('refuses a token of 18 decimals', async () => {
    expect(await refusal(await create(answering(18)))).toMatch(/^token_unfit: .*18 decimals/);
  });

  it('refuses what is no address', async () => {
    expect(await refusal('0x12')).toMatch(/^invalid_value/);
  });
});

describe('assay wallet', { timeout: 60_000 }, () => {
  it('shows nothing where there is no key, and makes none', async () => {
    await wallet(options());
    expect(printed()).toEqual({ roles: [], problem: null });
  });

  it('shows addresses alone when no chain answers', async () => {
    const { address } = loadKey(home, 'gateway').account;
    await wallet({ ...options(), rpc: 'http://127.0.0.1:1' });
    expect(printed()).toMatchObject({
      roles: [{ role: 'gateway', address, money: null }],
      problem: { code: 'chain_unreachable' },
    });
  });

  it('shows coin alone where the contracts are not known', async () => {
    await wallet(options());
    expect(printed().roles[0].money).toEqual({ coin: '0', tokens: null });
  });

  it('shows coin and tokens, and never a key', async () => {
    const { account } = loadKey(home, 'gateway');
    await deploy({ ...options(), token: await create(answering(6)) }); // A token of 6 decimals is taken.
    output = '';
    await wallet(options());
    expect(printed().roles).toEqual([
      {
        role: 'gateway',
        address: account.address,
        money: {
          coin: '0',
          // The stand-in for a token answers 6 to every question.
          tokens: { held: '6', stake: '0', earned: '0', unsettled: '0', inChannels: '0' },
        },
      },
    ]);
    expect(output).not.toMatch(/0x[0-9a-f]{64}/i);
  });
});
