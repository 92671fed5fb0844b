/** Leaving, as its commands do it, against the embedded chain: channels, stake and offers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { deployContracts, depositStake, openChannel, publishOffer } from '@assay/compute';
import { type ChannelConfig, type Hex, TIER } from '@assay/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type ChainEngine,
  LOCAL_CHAIN_ID,
  localAccount,
  startEmbeddedChain,
} from '../chain/index.js';
import { temporaryHome } from '../chain/testing/chain-kit.js';
import {
  type ChainAccess,
  connectRole,
  fundLocalRole,
  openChain,
  tokenBalance,
  writeDeployment,
} from '../chain-access.js';
import { listKeys, loadKey } from '../home.js';
import {
  cancelChannelWithdrawal,
  listChannels,
  requestChannelWithdrawal,
  withdrawChannel,
} from './channel.js';
import { listOffers, withdrawOffers } from './offer.js';
import { whenReady } from './role-access.js';
import { cancelStake, depositToStake, requestStake, showStake, withdrawOwnStake } from './stake.js';

const DELAY_SECONDS = 2;
const LONG_DELAY_SECONDS = 900;
const DOLLAR = 1_000_000n;

const home = temporaryHome();
let chain: ChainEngine;
let gateway: ChainAccess;
let provider: ChainAccess;
let output: string;

beforeAll(async () => {
  chain = await startEmbeddedChain({ home, port: 0 });
  const faucet = localAccount({ chainId: LOCAL_CHAIN_ID, index: 0 });
  const { write, genesisHash } = await openChain(chain.rpcUrl, faucet);
  const addresses = await deployContracts(write, { stakeWithdrawDelaySeconds: DELAY_SECONDS });
  writeDeployment(home, { chainId: LOCAL_CHAIN_ID, genesisHash, startBlock: 0, addresses });
}, 60_000);
afterAll(() => chain.stop());
beforeEach(() => {
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const options = (json = true) => ({ home, json, rpc: chain.rpcUrl });

/** Runs a command and returns the document that it printed. */
async function run(command: Promise<void>) {
  output = '';
  await command;
  return JSON.parse(output);
}

const refusal = (command: Promise<void>): Promise<string> =>
  command.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );

async function connect(role: string, dollars: bigint): Promise<ChainAccess> {
  const access = await connectRole(home, chain.rpcUrl, loadKey(home, role).account);
  await fundLocalRole(access, dollars);
  return access;
}

const channelConfig = (receiver: Hex, withdrawDelay: number): ChannelConfig => ({
  payer: gateway.write.account.address,
  payerAuthorizer: `0x${'00'.repeat(20)}`,
  receiver,
  receiverAuthorizer: `0x${'00'.repeat(20)}`,
  token: gateway.market.token,
  withdrawDelay,
  salt: `0x${'00'.repeat(32)}`,
});

const open = (withdrawDelay: number, amount: bigint) =>
  openChannel(gateway.write, {
    channels: gateway.market.channels,
    config: channelConfig(`0x${'ab'.repeat(20)}`, withdrawDelay),
    amount,
  });

describe('without a key', { timeout: 60_000 }, () => {
  it('refuses, and makes no key', async () => {
    expect(await refusal(listChannels(options()))).toBe('key_missing');
    expect(await refusal(showStake(options()))).toBe('key_missing');
    expect(await refusal(withdrawOffers(options()))).toBe('key_missing');
    expect(listKeys(home)).toEqual([]);
  });

  it('lists offers all the same', async () => {
    expect(await run(listOffers(options()))).toEqual({ offers: [] });
  });
});

describe('assay channel', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    gateway = await connect('gateway', 10n * DOLLAR);
  }, 60_000);

  it('shows no channel before there is one, and says so when asked to leave', async () => {
    expect(await run(listChannels(options()))).toMatchObject({ channels: [] });
    expect(await refusal(requestChannelWithdrawal(options()))).toBe('nothing_to_withdraw');
    expect(await refusal(withdrawChannel(options()))).toBe('nothing_to_withdraw');
    expect(await refusal(cancelChannelWithdrawal(options()))).toBe('nothing_to_withdraw');
  });

  it('shows what is left', async () => {
    await open(DELAY_SECONDS, 3n * DOLLAR);
    await open(LONG_DELAY_SECONDS, 2n * DOLLAR);
    const { channels } = await run(listChannels(options()));
    expect(channels).toMatchObject([
      { balance: '3000000', claimed: '0', available: '3000000', withdrawal: null },
      { balance: '2000000', withdrawDelaySeconds: LONG_DELAY_SECONDS, withdrawal: null },
    ]);
  });

  it('refuses an id that is none, one of nobody, and an amount that is not there', async () => {
    const { channels } = await run(listChannels(options()));
    const id = channels[0].channelId;
    const ask = (one: string, amount?: bigint) =>
      refusal(
        requestChannelWithdrawal(
          { ...options(), ...(amount === undefined ? {} : { amount }) },
          one,
        ),
      );
    expect(await ask('0x12')).toBe('invalid_value');
    expect(await ask(`0x${'12'.repeat(32)}`)).toBe('channel_unknown');
    expect(await ask(id, 0n)).toBe('amount_out_of_range');
    expect(await ask(id, 3_000_001n)).toBe('amount_out_of_range');
    expect(await refusal(withdrawChannel(options(), id))).toBe('nothing_to_withdraw');
  });

  it('leaves every channel by two commands, each when its delay is over', async () => {
    const held = await tokenBalance(gateway, gateway.write.account.address);
    const { channels } = await run(requestChannelWithdrawal(options()));
    expect(channels).toMatchObject([
      { withdrawal: { amount: '3000000' } },
      { withdrawal: { amount: '2000000' } },
    ]);
    expect(await refusal(requestChannelWithdrawal(options()))).toBe('withdrawal_pending');
    expect(await refusal(withdrawChannel(options(), channels[1].channelId))).toBe(
      'withdraw_not_ready',
    );
    await sleep((DELAY_SECONDS + 1) * 1_000);
    const after = await run(withdrawChannel(options()));
    expect(after.channels).toMatchObject([{ balance: '0', available: '0', withdrawal: null }]);
    expect(await tokenBalance(gateway, gateway.write.account.address)).toBe(held + 3n * DOLLAR);
    expect(await refusal(withdrawChannel(options()))).toBe('withdraw_not_ready');
  });

  it('takes a request back', async () => {
    const after = await run(cancelChannelWithdrawal(options()));
    expect(after.channels).toMatchObject([{ balance: '2000000', withdrawal: null }]);
    expect(await refusal(cancelChannelWithdrawal(options()))).toBe('nothing_to_withdraw');
  });

  it('counts a channel once that was emptied and opened again', async () => {
    await open(DELAY_SECONDS, DOLLAR);
    const { channels } = await run(listChannels(options()));
    expect(channels).toHaveLength(2);
    expect(channels[0]).toMatchObject({ balance: '1000000' });
  });

  it('says the same to people, and when', async () => {
    await requestChannelWithdrawal(options(false));
    expect(output).toMatch(/^requested:\nchannel +to +deposited .*leaving\n0x/);
    expect(output).toMatch(/\$2\.00, ready .* UTC, in 15 min/);
    expect(output).toContain('assay channel withdraw');
  });
});

describe('assay stake', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    provider = await connect('provider', 5n * DOLLAR);
  }, 60_000);

  it('has nothing to give back before there is a stake', async () => {
    expect(await refusal(requestStake(options()))).toBe('nothing_to_withdraw');
    expect(await refusal(withdrawOwnStake(options()))).toBe('nothing_to_withdraw');
    expect(await refusal(cancelStake(options()))).toBe('nothing_to_withdraw');
  });

  it('takes a deposit, no more than is held', async () => {
    expect(await refusal(depositToStake({ ...options(), amount: 6n * DOLLAR }))).toBe(
      'amount_out_of_range',
    );
    expect(await run(depositToStake({ ...options(), amount: 2n * DOLLAR }))).toEqual({
      provider: provider.write.account.address,
      staked: '2000000',
      held: '3000000',
      withdrawal: null,
    });
  });

  it('gives back what was asked for, after the delay and not before', async () => {
    const part = { ...options(), amount: DOLLAR };
    expect(await run(requestStake(part))).toMatchObject({ withdrawal: { amount: '1000000' } });
    expect(await refusal(requestStake(part))).toBe('withdrawal_pending');
    expect(await refusal(withdrawOwnStake(options()))).toBe('withdraw_not_ready');
    await sleep((DELAY_SECONDS + 1) * 1_000);
    expect(await run(withdrawOwnStake(options()))).toMatchObject({
      staked: '1000000',
      held: '4000000',
      withdrawal: null,
    });
  });

  it('takes a request back', async () => {
    await depositStake(provider.write, {
      stake: provider.deployment.addresses.stake,
      amount: DOLLAR,
    });
    expect(await run(requestStake(options()))).toMatchObject({ withdrawal: { amount: '2000000' } });
    expect(await run(cancelStake(options()))).toMatchObject({ withdrawal: null });
    expect(await run(showStake(options()))).toMatchObject({ staked: '2000000' });
  });
});

describe('assay offer', { timeout: 60_000 }, () => {
  const models: readonly Hex[] = [`0x${'0a'.repeat(32)}`, `0x${'0b'.repeat(32)}`];

  beforeAll(async () => {
    for (const access of [provider, gateway])
      for (const modelId of models)
        await publishOffer(access.write, {
          offers: access.deployment.addresses.offers,
          modelId,
          inputPrice: 1n,
          outputPrice: 2n,
          tier: TIER.exact,
          endpoint: 'http://127.0.0.1:1',
        });
  }, 60_000);

  it('marks the own ones in the list', async () => {
    const { offers } = await run(listOffers(options()));
    expect(offers.map(({ own }: { own: boolean }) => own)).toEqual([true, true, false, false]);
  });

  it('withdraws one, then the rest, and never those of others', async () => {
    const { withdrawn } = await run(withdrawOffers(options(), models[0]));
    expect(withdrawn).toMatchObject([{ modelId: models[0] }]);
    expect(await refusal(withdrawOffers(options(), models[0]))).toBe('offer_unknown');
    expect(await refusal(withdrawOffers(options(), '0x12'))).toBe('invalid_value');
    await run(withdrawOffers(options()));
    const { offers } = await run(listOffers(options()));
    expect(offers).toHaveLength(2);
    expect(await refusal(withdrawOffers(options()))).toBe('offer_unknown');
  });
});

describe('whenReady', () => {
  it('says the time and how long it takes', () => {
    const noon = Date.UTC(2026, 0, 31, 12) / 1_000;
    expect(whenReady(noon, noon)).toBe('2026-01-31 12:00:00 UTC, now');
    expect(whenReady(noon, noon - 90)).toBe('2026-01-31 12:00:00 UTC, in 90 s');
    expect(whenReady(noon, noon - 900)).toBe('2026-01-31 12:00:00 UTC, in 15 min');
    expect(whenReady(noon, noon - 86_400)).toBe('2026-01-31 12:00:00 UTC, in 24 h');
  });
});
