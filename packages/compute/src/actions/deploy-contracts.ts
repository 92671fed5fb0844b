/**
 * Puts all contracts on a chain. They own nothing and know of each other only what their constructors are told, so the
 * account that deploys them has no power over them afterwards.
 */
import { SPEC_ID, tableLeaves, tablesRoot } from '@assay/engine';
import { type Address, concat, type Hex, keccak, toHex } from '@assay/protocol';
import * as abis from '@assay/protocol/abi';
import * as bytecodes from '@assay/protocol/bytecode';
import { type Abi, getContractAddress } from 'viem';
import { deployContract, getTransactionCount } from 'viem/actions';
import type { AuditTerms } from '../court/audit.js';
import type { CourtTerms } from '../court/claim.js';
import { call, confirm, type WriteClient } from './transact.js';

/** Where the contracts of one network are. */
export type Addresses = {
  /** Payment token: the test dollar on a local chain. */
  readonly testDollar: Address;
  readonly channels: Address;
  readonly stake: Address;
  readonly offers: Address;
  readonly receipts: Address;
  readonly modelRegistry: Address;
  readonly vaults: Address;
  readonly court: Address;
  readonly audits: Address;
};

/** Seconds between the request to take stake out and its payment: the time to convict who cheats and runs. */
export const STAKE_WITHDRAW_DELAY_SECONDS = 7 * 86_400;

/** Seconds that earnings wait in a vault: an audit and a whole forced dispute fit, also after a day of censorship. */
export const VAULT_WINDOW_SECONDS = 4 * 86_400;

/**
 * Of a court that nobody gave other terms. A clock outlasts a day of censorship; the window of vaults outlasts an audit
 * and a whole forced dispute (`simulation/src/game` plays what happens with others).
 */
export const COURT_TERMS: CourtTerms = {
  clock: 30 * 3_600,
  window: 2 * 86_400,
  releaseDelay: 7 * 86_400,
  bond: 20_000_000_000_000_000n,
};

/** Fraction of 2^32, as the terms of audits have it. */
const rateOf = (fraction: number): number => fraction * 2 ** 32;

/** One dollar in atomic units. */
const DOLLAR = 1_000_000n;

/**
 * Of audits that nobody gave other terms. One receipt in twenty is drawn, for three seats, at a tenth of its price
 * each: 1.5 % of what a provider earns, and twice what a re-computation costs where that is a twentieth of serving.
 * Draw, commitments and reveals end before the court's window of two days does. Both phases, a day of censorship and
 * two clocks end within the four days in which earnings wait (`simulation/src/game`). The time to dispute outlasts two
 * clocks, and everything is over before stake that was asked for when the epoch was posted has left.
 */
export const AUDIT_TERMS: AuditTerms = {
  rate: Math.floor(rateOf(1 / 20)),
  places: 3,
  feeShare: 1_000,
  feeMin: 1_000n,
  bond: 50n * DOLLAR,
  absencePenalty: DOLLAR,
  drawTime: 86_400,
  commitTime: 4 * 3_600,
  revealTime: 4 * 3_600,
  disputeTime: 4 * 86_400,
};

/** Of audits on a local chain, where a whole audit takes a minute. Commitments outlast a restart of a verifier. */
export const LOCAL_AUDIT_TERMS: AuditTerms = {
  ...AUDIT_TERMS,
  rate: rateOf(1 / 4),
  places: 2,
  feeMin: 1n,
  bond: 10n * DOLLAR,
  drawTime: 3_600,
  commitTime: 20,
  revealTime: 20,
  disputeTime: 300,
};

export type DeployContractsParameters = {
  /** Payment token that exists already; the test dollar exists on local chains only. */
  readonly token?: Address;
  readonly stakeWithdrawDelaySeconds?: number;
  readonly vaultWindowSeconds?: number;
  readonly courtTerms?: CourtTerms;
  readonly auditTerms?: AuditTerms;
};

type Creation = { readonly abi: Abi; readonly bytecode: Hex; readonly args?: readonly unknown[] };
type Create = (creation: Creation) => Promise<Address>;

/** Deploys everything in as few blocks as the chain likes and returns the addresses once all are there. */
export async function deployContracts(
  client: WriteClient,
  parameters: DeployContractsParameters = {},
): Promise<Addresses> {
  const from = client.account.address;
  const nonceFirst = await call(() =>
    getTransactionCount(client, { address: from, blockTag: 'pending' }),
  );
  const hashes: Hex[] = [];
  const addressAfter = (creations: number): Address =>
    getContractAddress({ from, nonce: BigInt(nonceFirst + hashes.length + creations) });
  const create: Create = async (creation) => {
    const address = addressAfter(0);
    const nonce = nonceFirst + hashes.length;
    const { account, chain } = client;
    hashes.push(await call(() => deployContract(client, { ...creation, account, chain, nonce })));
    return address;
  };
  const testDollar =
    parameters.token ??
    (await create({ abi: abis.testDollarAbi, bytecode: bytecodes.testDollarBytecode }));
  const base = {
    testDollar,
    channels: await create({ abi: abis.channelsAbi, bytecode: bytecodes.channelsBytecode }),
    offers: await create({ abi: abis.offersAbi, bytecode: bytecodes.offersBytecode }),
    receipts: await create({ abi: abis.receiptsAbi, bytecode: bytecodes.receiptsBytecode }),
    modelRegistry: await create({
      abi: abis.modelRegistryAbi,
      bytecode: bytecodes.modelRegistryBytecode,
    }),
  };
  const judges = await createJudges(create);
  // Stake, vaults, court and audits answer to each other: addresses follow from the count of creations.
  const [court, audits] = [addressAfter(2), addressAfter(3)];
  const delay = BigInt(parameters.stakeWithdrawDelaySeconds ?? STAKE_WITHDRAW_DELAY_SECONDS);
  const stake = await create({
    abi: abis.stakeAbi,
    bytecode: bytecodes.stakeBytecode,
    args: [testDollar, court, audits, delay],
  });
  const window = BigInt(parameters.vaultWindowSeconds ?? VAULT_WINDOW_SECONDS);
  const vaults = await create({
    abi: abis.vaultsAbi,
    bytecode: bytecodes.vaultsBytecode,
    args: [testDollar, base.channels, stake, court, window],
  });
  await create({
    abi: abis.courtAbi,
    bytecode: bytecodes.courtBytecode,
    args: [
      { stake, vaults, receipts: base.receipts, specId: SPEC_ID, judges, audits },
      parameters.courtTerms ?? COURT_TERMS,
    ],
  });
  await create({
    abi: abis.auditsAbi,
    bytecode: bytecodes.auditsBytecode,
    args: [{ stake, receipts: base.receipts, court }, parameters.auditTerms ?? AUDIT_TERMS],
  });
  for (const hash of hashes) await confirm(client, hash);
  return { ...base, stake, vaults, court, audits };
}

/** Tables, checker and the judges over them, in the order of the kinds that they know. */
async function createJudges(create: Create): Promise<readonly Address[]> {
  const root = toHex(tablesRoot(keccak));
  const tables = await create({
    abi: abis.tablesAbi,
    bytecode: bytecodes.tablesBytecode,
    args: [toHex(concat(tableLeaves())), root],
  });
  const checker = await create({
    abi: abis.checkerAbi,
    bytecode: bytecodes.checkerBytecode,
    args: [getContractAddress({ from: tables, nonce: 1n })],
  });
  const judges: Address[] = [];
  for (const [abi, bytecode] of [
    [abis.formJudgeAbi, bytecodes.formJudgeBytecode],
    [abis.linearJudgeAbi, bytecodes.linearJudgeBytecode],
    [abis.mapJudgeAbi, bytecodes.mapJudgeBytecode],
    [abis.rowJudgeAbi, bytecodes.rowJudgeBytecode],
    [abis.samplingJudgeAbi, bytecodes.samplingJudgeBytecode],
  ] as const) {
    judges.push(await create({ abi, bytecode, args: [checker, root] }));
  }
  return judges;
}
