/**
 * A real chain for tests and benchmarks of the index: anvil without mining, our contracts, and a seeded hand that does
 * everything the contracts allow. Blocks appear only when `mine` is called, so a test decides what is in which block.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { LOCAL_AUDIT_TERMS } from '@assay/compute';
import {
  type Address,
  type ChannelConfig,
  channelId,
  type Hex,
  hashLaneVoucher,
  settlementDomain,
} from '@assay/protocol';
import * as abis from '@assay/protocol/abi';
import * as bytecodes from '@assay/protocol/bytecode';
import {
  createPublicClient,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  http,
  numberToHex,
  type PublicClient,
  parseSignature,
  signatureToCompactSignature,
  zeroAddress,
  zeroHash,
} from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { findAnvil } from '../../chain/anvil-binary.js';
import type { IndexedContracts } from '../follow.js';

const CHAIN_ID = 31_337;
const MNEMONIC = 'test test test test test test test test test test test junk';
const START_TIMEOUT_MS = 15_000;
/** Address space of anvil: it once took a whole machine down. */
const MEMORY_BYTES_MAX = 6_000_000_000;
/** Below the largest transaction of EIP-7825 (2^24). */
const GAS = numberToHex(16_000_000);
const DOLLARS = 10n ** 12n;
const PEOPLE = 6;

export type TestChain = {
  readonly url: string;
  readonly client: PublicClient;
  readonly addresses: IndexedContracts;
  readonly request: (method: string, params?: unknown) => Promise<unknown>;
  /** Seals a block with everything that was sent. */
  readonly mine: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

export type TestChainOptions = {
  readonly port?: number;
  readonly chainId?: number;
  /** Seconds of block 0; the same gives the same block 0. */
  readonly genesisTime?: number;
};

/** Accounts of the chain: the first ones pay, the others provide. */
export const people = Array.from({ length: PEOPLE }, (_, addressIndex) =>
  mnemonicToAccount(MNEMONIC, { addressIndex }),
);

/** Starts anvil, deploys the contracts in block 1 and hands out money in block 2. */
export async function startTestChain(options: TestChainOptions = {}): Promise<TestChain> {
  const port = options.port ?? (await freePort());
  const anvil = spawnAnvil(port, options);
  const url = `http://127.0.0.1:${port}`;
  const client = createPublicClient({ transport: http(url, { retryCount: 0 }) });
  const request = (method: string, params: unknown = []): Promise<unknown> =>
    client.request({ method, params } as never);
  const exited = new Promise<void>((resolve) => anvil.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    anvil.kill('SIGKILL');
    await exited;
  };
  try {
    await untilAnswers(request);
    const mine = async (): Promise<void> => void (await request('evm_mine'));
    const addresses = await deploy(request);
    await mine();
    const chain = { url, client, addresses, request, mine, stop };
    await handOutMoney(chain);
    await mine();
    return chain;
  } catch (error) {
    await stop();
    throw error;
  }
}

function spawnAnvil(port: number, options: TestChainOptions): ChildProcess {
  const flags = ['--port', `${port}`, '--chain-id', `${options.chainId ?? CHAIN_ID}`];
  if (options.genesisTime !== undefined) flags.push('--timestamp', `${options.genesisTime}`);
  flags.push('--no-mining', '--order', 'fifo', '--hardfork', 'osaka', '--silent');
  flags.push('--gas-limit', '1000000000', '--accounts', `${PEOPLE}`);
  const limited = [`--as=${MEMORY_BYTES_MAX}`, findAnvil(), ...flags];
  return process.platform === 'linux'
    ? spawn('prlimit', limited, { stdio: 'ignore' })
    : spawn(findAnvil(), flags, { stdio: 'ignore' });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function untilAnswers(request: TestChain['request']): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await request('eth_chainId');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

async function deploy(request: TestChain['request']): Promise<IndexedContracts> {
  const from = people[0]!.address;
  let nonce = 0;
  const create = async (abi: unknown, bytecode: Hex, args?: readonly unknown[]) => {
    const data = encodeDeployData({ abi, bytecode, args } as never);
    await request('eth_sendTransaction', [{ from, data, gas: GAS, nonce: numberToHex(nonce) }]);
    return getContractAddress({ from, nonce: BigInt(nonce++) });
  };
  const testDollar = await create(abis.testDollarAbi, bytecodes.testDollarBytecode);
  // Stake is charged by audits, which come last.
  const audits = getContractAddress({ from, nonce: BigInt(nonce + 5) });
  const stakeTerms = [testDollar, zeroAddress, audits, 1n];
  const base = {
    testDollar,
    channels: await create(abis.channelsAbi, bytecodes.channelsBytecode),
    stake: await create(abis.stakeAbi, bytecodes.stakeBytecode, stakeTerms),
    offers: await create(abis.offersAbi, bytecodes.offersBytecode),
    receipts: await create(abis.receiptsAbi, bytecodes.receiptsBytecode),
    modelRegistry: await create(abis.modelRegistryAbi, bytecodes.modelRegistryBytecode),
  };
  // No court is needed to draw and to take seats; nothing is settled here.
  const parts = { stake: base.stake, receipts: base.receipts, court: base.channels };
  await create(abis.auditsAbi, bytecodes.auditsBytecode, [parts, LOCAL_AUDIT_TERMS]);
  return { ...base, audits };
}

/** A call as the deeds below write it: contract, function, arguments. */
export type Call = {
  readonly from: Address;
  readonly to: keyof IndexedContracts;
  readonly name: string;
  readonly args: readonly unknown[];
};

const ABIS = {
  testDollar: abis.testDollarAbi,
  channels: abis.channelsAbi,
  stake: abis.stakeAbi,
  offers: abis.offersAbi,
  receipts: abis.receiptsAbi,
  modelRegistry: abis.modelRegistryAbi,
  audits: abis.auditsAbi,
} as const;

/** Call data of a contract's function, as a multicall takes it. */
export const encodeCall = ({ to, name, args }: Omit<Call, 'from'>): Hex =>
  encodeFunctionData({ abi: ABIS[to], functionName: name, args } as never);

/** Sends a transaction; it waits for `mine`. A call that the contract refuses is mined without a trace. */
export async function send(chain: TestChain, call: Call): Promise<void> {
  const transaction = { from: call.from, to: chain.addresses[call.to], data: encodeCall(call) };
  await chain.request('eth_sendTransaction', [{ ...transaction, gas: GAS }]);
}

async function handOutMoney(chain: TestChain): Promise<void> {
  const to = 'testDollar';
  for (const { address: from } of people) {
    await send(chain, { from, to, name: 'mint', args: [from, DOLLARS] });
    const { channels, stake, audits } = chain.addresses;
    for (const spender of [channels, stake, audits])
      await send(chain, { from, to, name: 'approve', args: [spender, 2n ** 256n - 1n] });
  }
}

// DEEDS

/** Numbers from a seed (mulberry32), so that a failing history can be had again. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export const bytes32 = (value: number): Hex => numberToHex(value, { size: 32 });

/** A channel between two people; `salt` tells apart channels of the same two. */
export const channelConfig = (
  chain: TestChain,
  of: { readonly payer: Address; readonly receiver: Address; readonly salt: number },
): ChannelConfig => ({
  payer: of.payer,
  payerAuthorizer: zeroAddress,
  receiver: of.receiver,
  receiverAuthorizer: zeroAddress,
  token: chain.addresses.testDollar,
  withdrawDelay: 1,
  salt: bytes32(of.salt),
});

export const channelIdOf = (chain: TestChain, config: ChannelConfig): Hex =>
  channelId(settlementDomain(CHAIN_ID, chain.addresses.channels), config);

/** A lane voucher of the channel's payer, as `claimLanes` takes it. */
export async function signLane(
  chain: TestChain,
  config: ChannelConfig,
  lane: { readonly lane: number; readonly amount: bigint; readonly receiptRoot?: Hex },
) {
  const payer = people.find(({ address }) => address === config.payer)!;
  const voucher = {
    channelId: channelIdOf(chain, config),
    lane: lane.lane,
    maxClaimableAmount: lane.amount,
    receiptRoot: lane.receiptRoot ?? zeroHash,
  };
  const domain = settlementDomain(CHAIN_ID, chain.addresses.channels);
  const signature = await payer.sign({ hash: hashLaneVoucher(domain, voucher) });
  const { r, yParityAndS: vs } = signatureToCompactSignature(parseSignature(signature));
  const { payer: from, payerAuthorizer, salt } = config;
  return { payer: from, payerAuthorizer, salt, ...voucher, r, vs };
}

/** Does `count` random things. Many are refused by the contracts, as in life; those leave no event. */
export async function actAtRandom(
  chain: TestChain,
  options: { readonly random: (below: number) => number; readonly count: number },
): Promise<void> {
  for (let deed = 0; deed < options.count; deed++)
    await send(chain, await randomCall(chain, options.random));
}

async function randomCall(chain: TestChain, random: (below: number) => number): Promise<Call> {
  const payer = people[random(3)]!.address;
  const receiver = people[3 + random(3)]!.address;
  const config = channelConfig(chain, { payer, receiver, salt: random(3) });
  const amount = BigInt(1 + random(1_000_000));
  const { testDollar: token } = chain.addresses;
  const lane = { lane: random(2), amount, receiptRoot: bytes32(random(99)) };
  const stakeCall = (name: string, args: readonly unknown[]): Call => ({
    from: receiver,
    to: 'stake',
    name,
    args,
  });
  const modelId = bytes32(random(5));
  const terms = { inputPrice: amount, outputPrice: 2n * amount, tier: random(2) };
  const model = Object.fromEntries(MODEL_FIELDS.map((name) => [name, bytes32(random(50))]));
  const calls: readonly (() => Call | Promise<Call>)[] = [
    () => ({ from: payer, to: 'channels', name: 'deposit', args: [config, amount] }),
    () => ({ from: payer, to: 'channels', name: 'deposit', args: [config, amount] }),
    async () => {
      const claims = [await signLane(chain, config, lane)];
      return { from: receiver, to: 'channels', name: 'claimLanes', args: [config, claims] };
    },
    () => ({ from: payer, to: 'channels', name: 'settle', args: [receiver, token] }),
    () => ({ from: receiver, to: 'channels', name: 'refund', args: [config, amount / 9n] }),
    () => ({ from: payer, to: 'channels', name: 'initiateWithdraw', args: [config, amount] }),
    () => ({ from: payer, to: 'channels', name: 'finalizeWithdraw', args: [config] }),
    () => stakeCall('deposit', [receiver, amount]),
    () => stakeCall('requestWithdrawal', [amount / 3n]),
    () => stakeCall('withdraw', []),
    () => ({
      from: receiver,
      to: 'offers',
      name: 'publish',
      args: [modelId, terms, `http://127.0.0.1:${random(9)}`],
    }),
    () => ({ from: receiver, to: 'offers', name: 'withdraw', args: [modelId, random(2)] }),
    () => ({ from: payer, to: 'modelRegistry', name: 'register', args: [model, 'file:model'] }),
    () => ({
      from: receiver,
      to: 'receipts',
      name: 'post',
      args: [BigInt(random(1e6)), bytes32(random(99)), 3n, amount],
    }),
    () => ({ from: payer, to: 'audits', name: 'take', args: [1 + random(2)] }),
    () => ({ from: payer, to: 'audits', name: 'giveUp', args: [1 + random(9)] }),
  ];
  return calls[random(calls.length)]!();
}

const MODEL_FIELDS = [
  'weightsRoot',
  'graphRoot',
  'tablesRoot',
  'tokenizerHash',
  'templateHash',
  'boundsHash',
  'specId',
];
