/**
 * Puts all contracts on a chain. They own nothing and know of each other only what their constructors are told, so the
 * account that deploys them has no power over them afterwards.
 */
import type { Address, Hex } from '@assay/protocol';
import {
  channelsAbi,
  modelRegistryAbi,
  offersAbi,
  receiptsAbi,
  stakeAbi,
  testDollarAbi,
} from '@assay/protocol/abi';
import {
  channelsBytecode,
  modelRegistryBytecode,
  offersBytecode,
  receiptsBytecode,
  stakeBytecode,
  testDollarBytecode,
} from '@assay/protocol/bytecode';
import { type Abi, getContractAddress, zeroAddress } from 'viem';
import { deployContract, getTransactionCount } from 'viem/actions';
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
};

/** Seconds between the request to take stake out and its payment: the time to convict who cheats and runs. */
export const STAKE_WITHDRAW_DELAY_SECONDS = 86_400;

export type DeployContractsParameters = {
  /** Payment token that exists already; the test dollar exists on local chains only. */
  readonly token?: Address;
  /** May slash stake; nobody may without one. */
  readonly court?: Address;
  readonly stakeWithdrawDelaySeconds?: number;
};

type Creation = { readonly abi: Abi; readonly bytecode: Hex; readonly args?: readonly unknown[] };

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
  const create = async (creation: Creation): Promise<Address> => {
    const nonce = nonceFirst + hashes.length;
    const { account, chain } = client;
    hashes.push(await call(() => deployContract(client, { ...creation, account, chain, nonce })));
    return getContractAddress({ from, nonce: BigInt(nonce) });
  };
  const testDollar =
    parameters.token ?? (await create({ abi: testDollarAbi, bytecode: testDollarBytecode }));
  const delay = BigInt(parameters.stakeWithdrawDelaySeconds ?? STAKE_WITHDRAW_DELAY_SECONDS);
  const stakeArguments = [testDollar, parameters.court ?? zeroAddress, delay];
  const addresses = {
    testDollar,
    channels: await create({ abi: channelsAbi, bytecode: channelsBytecode }),
    stake: await create({ abi: stakeAbi, bytecode: stakeBytecode, args: stakeArguments }),
    offers: await create({ abi: offersAbi, bytecode: offersBytecode }),
    receipts: await create({ abi: receiptsAbi, bytecode: receiptsBytecode }),
    modelRegistry: await create({ abi: modelRegistryAbi, bytecode: modelRegistryBytecode }),
  };
  for (const hash of hashes) await confirm(client, hash);
  return addresses;
}
