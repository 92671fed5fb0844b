/**
 * Every action against a real chain: anvil without automine, and a miner that seals a block when there is something.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  type ChannelConfig,
  channelId,
  type Hex,
  hashLaneVoucher,
  merkleProof,
  merkleRoot,
  settlementDomain,
  toHex,
} from '@assay/protocol';
import { channelsAbi, modelRegistryAbi, offersAbi, receiptsAbi } from '@assay/protocol/abi';
import { computeChannelId, signVoucher } from '@x402/evm/batch-settlement/client';
import {
  createTestClient,
  createWalletClient,
  http,
  keccak256,
  type PrivateKeyAccount,
  parseEventLogs,
  publicActions,
  recoverAddress,
  toBytes,
  zeroAddress,
} from 'viem';
import { mnemonicToAccount, privateKeyToAccount } from 'viem/accounts';
import { readContract, writeContract } from 'viem/actions';
import { anvil as anvilChain } from 'viem/chains';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from '../testing/code-of.js';
import {
  type Addresses,
  authorizeDeposit,
  claimLanes,
  deployContracts,
  depositStake,
  finalizeWithdraw,
  initiateWithdraw,
  type LaneClaim,
  mintTestDollars,
  modelCommitmentId,
  openChannel,
  postEpochRoot,
  publishOffer,
  readChannel,
  readReceiver,
  readStake,
  refundChannel,
  registerModel,
  requestStakeWithdrawal,
  settle,
  topUpChannel,
  type WriteClient,
  withdrawOffer,
  withdrawStake,
} from './index.js';

const ROOT = join(import.meta.dirname, '../../../..');
const MNEMONIC = 'test test test test test test test test test test test junk';
const DELAY_SECONDS = 3600;
const POLL_MS = 20;

const accounts = [0, 1, 2].map((addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }));
const [payer, receiver] = [accounts[0]!, accounts[1]!];
/** A key without any coin, which signs vouchers or authorizations for others to submit. */
const poor: PrivateKeyAccount = privateKeyToAccount(keccak256(toBytes('seed: actions.test')));

let chainProcess: ChildProcess;
let miner: NodeJS.Timeout;
let url: string;
let addresses: Addresses;

const clientOf = (account: WriteClient['account']): WriteClient =>
  createWalletClient({
    account,
    chain: anvilChain,
    transport: http(url),
    pollingInterval: POLL_MS,
  });
const node = () =>
  createTestClient({ chain: anvilChain, mode: 'anvil', transport: http(url) }).extend(
    publicActions,
  );

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** Seals a block when transactions wait; never two requests at once. */
async function mine(): Promise<void> {
  try {
    const { pending } = await node().getTxpoolStatus();
    if (pending > 0) await node().mine({ blocks: 1 });
  } catch {
    // Not up yet, or already stopped.
  }
  miner = setTimeout(mine, POLL_MS);
}

async function isUp(): Promise<boolean> {
  try {
    return (await node().getChainId()) === anvilChain.id;
  } catch {
    return false;
  }
}

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const anvil = join(ROOT, 'node_modules/.bin/anvil');
  const flags = ['--no-mining', '--order', 'fifo', '--hardfork', 'osaka', '--silent'];
  // A group of its own, since npm's `anvil` starts the binary as a child.
  chainProcess = spawn('prlimit', ['--as=6000000000', anvil, ...flags, '--port', `${port}`], {
    detached: true,
    stdio: 'ignore',
  });
  for (let tries = 0; !(await isUp()); tries++) {
    if (tries === 200) throw new Error('anvil did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  miner = setTimeout(mine, 0);
  addresses = await deployContracts(clientOf(payer), { stakeWithdrawDelaySeconds: DELAY_SECONDS });
  for (const { address } of [payer, receiver, poor]) await mint(address, 10_000_000_000n);
  // The network is in use: the first deposit of all costs more, because the contract held nothing.
  await openChannel(clientOf(payer), { ...addresses, config: freshConfig(), amount: 1n });
});

afterAll(() => {
  clearTimeout(miner);
  if (chainProcess.pid !== undefined) process.kill(-chainProcess.pid, 'SIGKILL');
});

const mint = (to: Hex, amount: bigint) =>
  mintTestDollars(clientOf(payer), { ...addresses, to, amount });

let salts = 0;
const freshConfig = (overrides: Partial<ChannelConfig> = {}): ChannelConfig => ({
  payer: payer.address,
  payerAuthorizer: zeroAddress,
  receiver: receiver.address,
  receiverAuthorizer: zeroAddress,
  token: addresses.testDollar,
  withdrawDelay: DELAY_SECONDS,
  salt: `0x${(++salts).toString(16).padStart(64, '0')}`,
  ...overrides,
});

const domain = () => settlementDomain(anvilChain.id, addresses.channels);

/** A signed voucher for `amount` on `lane`. */
async function voucherOf(
  config: ChannelConfig,
  lane: number,
  amount: bigint,
  signer = payer as { sign: (options: { hash: Hex }) => Promise<Hex> },
): Promise<LaneClaim> {
  const voucher = {
    channelId: channelId(domain(), config),
    lane,
    maxClaimableAmount: amount,
    receiptRoot: toHex(merkleRoot([toBytes(`receipt of lane ${lane}`)])),
  };
  const signature = await signer.sign({ hash: hashLaneVoucher(domain(), voucher) });
  return { config, signed: { voucher, signature } };
}

const balanceOf = (account: Hex) =>
  readContract(clientOf(payer), {
    address: addresses.testDollar,
    abi: [
      {
        type: 'function',
        name: 'balanceOf',
        inputs: [{ name: 'account', type: 'address' }],
        outputs: [{ name: '', type: 'uint256' }],
        stateMutability: 'view',
      },
    ] as const,
    functionName: 'balanceOf',
    args: [account],
  });

describe('deployContracts', () => {
  it('leaves code at every address', async () => {
    expect(Object.keys(addresses)).toHaveLength(9);
    for (const address of Object.values(addresses)) {
      expect((await node().getCode({ address }))?.length).toBeGreaterThan(1000);
    }
  });
});

describe('mintTestDollars', () => {
  it('creates money', async () => {
    const before = await balanceOf(accounts[2]!.address);
    await mint(accounts[2]!.address, 5n);
    expect(await balanceOf(accounts[2]!.address)).toBe(before + 5n);
  });

  it('refuses more than the faucet gives at once', async () => {
    expect(await codeOf(mint(payer.address, 1_000_000_000_001n))).toBe('mint_too_large');
  });
});

describe('openChannel', () => {
  it('opens by permit in one transaction below 85,000 gas', async () => {
    const config = freshConfig();
    const { channelId: id, receipt } = await openChannel(clientOf(payer), {
      ...addresses,
      config,
      amount: 5_000_000n,
    });
    expect(id).toBe(channelId(domain(), config));
    expect(receipt.gasUsed).toBeLessThanOrEqual(85_000n);
    const [opened] = parseEventLogs({
      abi: channelsAbi,
      eventName: 'ChannelOpened',
      logs: receipt.logs,
    });
    expect(opened?.args.config).toEqual(config);
    expect(await readChannel(clientOf(payer), { ...addresses, channelId: id })).toEqual({
      balance: 5_000_000n,
      totalClaimed: 0n,
      available: 5_000_000n,
      lanes: new Map(),
    });
  });

  it('opens for a payer without coin, whose authorization somebody else submits', async () => {
    const config = freshConfig({ payer: poor.address });
    const amount = 7_000_000n;
    const before = await balanceOf(poor.address);
    const authorization = await authorizeDeposit(clientOf(poor), {
      ...addresses,
      config,
      amount,
      validBefore: 4_000_000_000n,
      salt: 1n,
    });
    await openChannel(clientOf(receiver), { ...addresses, config, amount, authorization });
    expect(await balanceOf(poor.address)).toBe(before - amount);
    const other = freshConfig({ payer: poor.address });
    const again = openChannel(clientOf(receiver), {
      ...addresses,
      config: other,
      amount,
      authorization,
    });
    expect(await codeOf(again)).toBe('signature_invalid');
  });

  it('refuses what the payer does not have', async () => {
    const promise = openChannel(clientOf(payer), {
      ...addresses,
      config: freshConfig(),
      amount: 10n ** 18n,
    });
    expect(await codeOf(promise)).toBe('transfer_failed');
  });

  it('refuses a delay that gives the receiver no time', async () => {
    const config = freshConfig({ withdrawDelay: 0 });
    const promise = openChannel(clientOf(payer), { ...addresses, config, amount: 1n });
    expect(await codeOf(promise)).toBe('withdraw_delay_out_of_range');
  });
});

describe('topUpChannel', () => {
  it('adds to an open channel and to no other', async () => {
    const config = freshConfig();
    const top = () => topUpChannel(clientOf(payer), { ...addresses, config, amount: 2n });
    expect(await codeOf(top())).toBe('channel_unknown');
    await openChannel(clientOf(payer), { ...addresses, config, amount: 3n });
    const { channelId: id } = await top();
    expect((await readChannel(clientOf(payer), { ...addresses, channelId: id })).balance).toBe(5n);
  });
});

describe('claimLanes', () => {
  it('claims lanes of several channels, pays out, and keeps every unit', async () => {
    const configs = [freshConfig(), freshConfig({ withdrawDelay: 2 * DELAY_SECONDS })];
    for (const config of configs) {
      await openChannel(clientOf(payer), { ...addresses, config, amount: 1_000n });
    }
    const claims = await Promise.all([
      voucherOf(configs[0]!, 0, 100n),
      voucherOf(configs[0]!, 1, 200n),
      voucherOf(configs[0]!, 63, 50n),
      voucherOf(configs[1]!, 7, 400n),
    ]);
    const before = await balanceOf(receiver.address);
    const { claimed } = await claimLanes(clientOf(receiver), {
      ...addresses,
      claims,
      settle: true,
    });
    expect(claimed.map(({ lane, laneClaimed }) => [lane, laneClaimed])).toEqual([
      [0, 100n],
      [1, 200n],
      [63, 50n],
      [7, 400n],
    ]);
    expect(claimed[3]?.receiptRoot).toBe(claims[3]!.signed.voucher.receiptRoot);
    expect(await balanceOf(receiver.address)).toBe(before + 750n);
    const state = await readChannel(clientOf(payer), {
      ...addresses,
      channelId: claimed[0]!.channelId,
      lanes: [0, 1, 2, 63],
    });
    expect(state.totalClaimed).toBe(350n);
    expect(Object.fromEntries(state.lanes)).toEqual({ 0: 100n, 1: 200n, 2: 0n, 63: 50n });
  });

  it('claims no more than there is, and the rest after a top-up', async () => {
    const config = freshConfig({ payerAuthorizer: poor.address });
    await openChannel(clientOf(payer), { ...addresses, config, amount: 10n });
    const claims = [await voucherOf(config, 0, 15n, poor)];
    const first = await claimLanes(clientOf(receiver), { ...addresses, claims });
    expect(first.claimed[0]?.laneClaimed).toBe(10n);
    const again = claimLanes(clientOf(receiver), { ...addresses, claims });
    expect(await codeOf(again)).toBe('nothing_to_claim');
    await topUpChannel(clientOf(payer), { ...addresses, config, amount: 10n });
    const second = await claimLanes(clientOf(receiver), { ...addresses, claims });
    expect(second.claimed[0]?.laneClaimed).toBe(15n);
  });

  it('refuses a voucher of another key, and a batch of nothing', async () => {
    const config = freshConfig();
    await openChannel(clientOf(payer), { ...addresses, config, amount: 10n });
    const claims = [await voucherOf(config, 0, 5n, receiver)];
    const forged = claimLanes(clientOf(receiver), { ...addresses, claims });
    expect(await codeOf(forged)).toBe('voucher_signature_invalid');
    const empty = claimLanes(clientOf(receiver), { ...addresses, claims: [] });
    expect(await codeOf(empty)).toBe('claim_count_out_of_range');
  });
});

describe('settle', () => {
  it('pays what was claimed, once', async () => {
    const config = freshConfig();
    await openChannel(clientOf(payer), { ...addresses, config, amount: 10n });
    await claimLanes(clientOf(receiver), {
      ...addresses,
      claims: [await voucherOf(config, 5, 4n)],
    });
    const target = { ...addresses, receiver: receiver.address, token: addresses.testDollar };
    const { unsettled } = await readReceiver(clientOf(payer), target);
    expect(unsettled).toBeGreaterThanOrEqual(4n);
    const before = await balanceOf(receiver.address);
    await settle(clientOf(payer), target);
    expect(await balanceOf(receiver.address)).toBe(before + unsettled);
    expect(await codeOf(settle(clientOf(payer), target))).toBe('nothing_to_settle');
  });
});

describe('initiateWithdraw and finalizeWithdraw', () => {
  it('give the payer back what was not claimed, after the delay', async () => {
    const config = freshConfig();
    const client = clientOf(payer);
    const { channelId: id } = await openChannel(client, { ...addresses, config, amount: 100n });
    await initiateWithdraw(client, { ...addresses, config, amount: 100n });
    const state = await readChannel(client, { ...addresses, channelId: id });
    expect(state.withdrawal?.amount).toBe(100n);
    const early = finalizeWithdraw(client, { ...addresses, config });
    expect(await codeOf(early)).toBe('withdraw_not_ready');
    await claimLanes(clientOf(receiver), {
      ...addresses,
      claims: [await voucherOf(config, 0, 30n)],
    });
    await node().increaseTime({ seconds: DELAY_SECONDS });
    await node().mine({ blocks: 1 });
    const before = await balanceOf(payer.address);
    await finalizeWithdraw(clientOf(receiver), { ...addresses, config });
    expect(await balanceOf(payer.address)).toBe(before + 70n);
  });
});

describe('refundChannel', () => {
  it('returns unclaimed money at once, by the receiver only', async () => {
    const config = freshConfig();
    await openChannel(clientOf(payer), { ...addresses, config, amount: 100n });
    const refused = refundChannel(clientOf(payer), { ...addresses, config, amount: 1n });
    expect(await codeOf(refused)).toBe('caller_not_receiver');
    const before = await balanceOf(payer.address);
    await refundChannel(clientOf(receiver), { ...addresses, config, amount: 1_000n });
    expect(await balanceOf(payer.address)).toBe(before + 100n);
  });
});

describe('stake', () => {
  it('goes in at once and comes out after the delay', async () => {
    const client = clientOf(receiver);
    const before = await balanceOf(receiver.address);
    await depositStake(client, { ...addresses, amount: 50n });
    await requestStakeWithdrawal(client, { ...addresses, amount: 20n });
    expect(await codeOf(withdrawStake(client, addresses))).toBe('withdraw_not_ready');
    await node().increaseTime({ seconds: DELAY_SECONDS });
    await node().mine({ blocks: 1 });
    await withdrawStake(client, addresses);
    const target = { ...addresses, provider: receiver.address };
    expect(await readStake(client, target)).toEqual({ staked: 30n, requested: 0n, readyAt: 0n });
    expect(await balanceOf(receiver.address)).toBe(before - 30n);
  });
});

describe('offers', () => {
  it('are published, updated and withdrawn', async () => {
    const client = clientOf(receiver);
    const modelId = keccak256(toBytes('model'));
    const offer = {
      ...addresses,
      modelId,
      inputPrice: 100_000n,
      outputPrice: 400_000n,
      tier: 3,
      endpoint: 'http://127.0.0.1:9000',
    };
    const { offerId, receipt } = await publishOffer(client, offer);
    const [log] = parseEventLogs({ abi: offersAbi, logs: receipt.logs });
    expect(log?.args).toMatchObject({ offerId, provider: receiver.address, modelId });
    await publishOffer(client, { ...offer, outputPrice: 300_000n });
    const terms = await readContract(client, {
      address: addresses.offers,
      abi: offersAbi,
      functionName: 'offers',
      args: [offerId],
    });
    expect(terms.slice(0, 3)).toEqual([100_000n, 300_000n, 3]);
    await withdrawOffer(client, { ...addresses, modelId, tier: 3 });
    const again = withdrawOffer(client, { ...addresses, modelId, tier: 3 });
    expect(await codeOf(again)).toBe('offer_unknown');
  });
});

describe('registerModel', () => {
  it('gives the id that the contract computes, once', async () => {
    const hash = (text: string) => keccak256(toBytes(text));
    const model = {
      weightsRoot: hash('weights'),
      graphRoot: hash('graph'),
      tablesRoot: hash('tables'),
      tokenizerHash: hash('tokenizer'),
      templateHash: hash('template'),
      boundsHash: hash('bounds'),
      specId: hash('spec'),
    };
    const parameters = { ...addresses, model, uri: 'http://127.0.0.1:9000/file' };
    const { modelId, receipt } = await registerModel(clientOf(payer), parameters);
    const [log] = parseEventLogs({ abi: modelRegistryAbi, logs: receipt.logs });
    expect(log?.args.modelId).toBe(modelId);
    expect(modelId).toBe(modelCommitmentId(model));
    expect(await codeOf(registerModel(clientOf(payer), parameters))).toBe('model_known');
  });
});

describe('postEpochRoot', () => {
  it('posts a root under which the contract finds each receipt, and no epoch twice', async () => {
    const leaves = [1, 2, 3].map((number) => toBytes(keccak256(Uint8Array.of(number))));
    const post = {
      ...addresses,
      epoch: 1n,
      root: toHex(merkleRoot(leaves)),
      count: 3n,
      priceTotal: 9n,
    };
    await postEpochRoot(clientOf(receiver), post);
    const isPosted = (index: number) =>
      readContract(clientOf(payer), {
        address: addresses.receipts,
        abi: receiptsAbi,
        functionName: 'isPosted',
        args: [
          receiver.address,
          1n,
          toHex(leaves[2]!),
          BigInt(index),
          3n,
          merkleProof(leaves, 2).map(toHex),
        ],
      });
    expect(await isPosted(2)).toBe(true);
    expect(await isPosted(1)).toBe(false);
    expect(await codeOf(postEpochRoot(clientOf(receiver), post))).toBe('epoch_not_new');
  });
});

describe('x402 batch-settlement', () => {
  /** Where their package expects the contract, on every chain. */
  const theirs = '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003';

  it('an unmodified client pays our contract at the address that it knows', async () => {
    const code = await node().getCode({ address: addresses.channels });
    await node().setCode({ address: theirs, bytecode: code! });
    const config = freshConfig();
    const id = computeChannelId(config, anvilChain.id);
    const at = { ...addresses, channels: theirs } as const;
    expect(id).toBe(channelId(settlementDomain(anvilChain.id, theirs), config));
    const opened = await openChannel(clientOf(payer), { ...at, config, amount: 1_000n });
    expect(opened.channelId).toBe(id);
    const voucher = await signVoucher(payer, id, '600', `eip155:${anvilChain.id}`);
    const claim = {
      voucher: { channel: config, maxClaimableAmount: 600n },
      signature: voucher.signature,
      totalClaimed: 450n,
    };
    await writeContract(clientOf(receiver), {
      address: theirs,
      abi: channelsAbi,
      functionName: 'claim',
      args: [[claim]],
      account: receiver,
      chain: anvilChain,
    });
    const before = await balanceOf(receiver.address);
    await expect
      .poll(async () => (await readChannel(clientOf(payer), { ...at, channelId: id })).totalClaimed)
      .toBe(450n);
    await settle(clientOf(payer), { ...at, receiver: receiver.address, token: config.token });
    expect(await balanceOf(receiver.address)).toBe(before + 450n);
  });

  it('hashes configs and vouchers as their package does', async () => {
    const configs = [
      freshConfig(),
      freshConfig({ payerAuthorizer: poor.address, receiverAuthorizer: payer.address }),
      freshConfig({ withdrawDelay: 2 ** 40 - 1, salt: keccak256(toBytes('salt')) }),
    ];
    for (const config of configs) {
      const id = computeChannelId(config, `eip155:${anvilChain.id}`);
      const read = { address: theirs, abi: channelsAbi } as const;
      const args = [config] as const;
      expect(await readContract(node(), { ...read, functionName: 'getChannelId', args })).toBe(id);
      const voucher = await signVoucher(poor, id, `${2n ** 128n - 1n}`, `eip155:${anvilChain.id}`);
      const hash = await readContract(node(), {
        ...read,
        functionName: 'getVoucherDigest',
        args: [id, 2n ** 128n - 1n],
      });
      const { signature } = voucher;
      expect(await recoverAddress({ hash, signature })).toBe(poor.address);
    }
  });
});
