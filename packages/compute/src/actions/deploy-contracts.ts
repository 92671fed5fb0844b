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

export type DeployContractsParameters = {
  /** Payment token that exists already; the test dollar exists on local chains only. */
  readonly token?: Address;
  readonly stakeWithdrawDelaySeconds?: number;
  readonly vaultWindowSeconds?: number;
  readonly courtTerms?: CourtTerms;
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
  // Stake and vaults answer to the court, and it to them: its address follows from the count of creations.
  const court = addressAfter(2);
  const delay = BigInt(parameters.stakeWithdrawDelaySeconds ?? STAKE_WITHDRAW_DELAY_SECONDS);
  const stake = await create({
    abi: abis.stakeAbi,
    bytecode: bytecodes.stakeBytecode,
    args: [testDollar, court, delay],
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
      { stake, vaults, receipts: base.receipts, specId: SPEC_ID, judges },
      parameters.courtTerms ?? COURT_TERMS,
    ],
  });
  for (const hash of hashes) await confirm(client, hash);
  return { ...base, stake, vaults, court };
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
