/** Vaults: where the earnings of providers wait until the results behind them can no longer be disputed. */
import type { Address, Hex } from '@assay/protocol';
import { testDollarAbi, vaultAbi, vaultsAbi } from '@assay/protocol/abi';
import { vaultBytecode } from '@assay/protocol/bytecode';
import { concatHex, encodeAbiParameters, getContractAddress, type TransactionReceipt } from 'viem';
import { readContract, writeContract } from 'viem/actions';
import { call, type ReadClient, transact, type WriteClient } from './transact.js';

export type VaultParameters = { readonly vaults: Address; readonly provider: Address };

/** What a vault holds and which part of it waits; amounts in atomic units. */
export type VaultState = {
  readonly held: bigint;
  /** The batch that waits, zero if there is none, and Unix seconds from which it is paid. */
  readonly amount: bigint;
  readonly readyAt: bigint;
};

const NO_SALT: Hex = `0x${'00'.repeat(32)}`;
const known = new Map<string, Address>();

/** Address of a provider's vault (CREATE2, EIP-1014), whether it exists or not: channels may pay it before. */
export function vaultAddress({ vaults, provider }: VaultParameters): Address {
  const key = `${vaults}:${provider}`.toLowerCase();
  const found = known.get(key);
  if (found !== undefined) return found;
  const address = getContractAddress({
    opcode: 'CREATE2',
    from: vaults,
    salt: NO_SALT,
    bytecode: concatHex([vaultBytecode, encodeAbiParameters([{ type: 'address' }], [provider])]),
  });
  known.set(key, address);
  return address;
}

/** Puts the vault of a provider on chain; does nothing if it is there. */
export const createVault = (
  client: WriteClient,
  { vaults, provider }: VaultParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: vaults,
      abi: vaultsAbi,
      functionName: 'create',
      args: [provider],
      account: client.account,
      chain: client.chain,
    }),
  );

/** Pays the batch that has waited long enough, and starts the next one with what channels owe. Anyone may call it. */
export const collectVault = (
  client: WriteClient,
  parameters: VaultParameters,
): Promise<TransactionReceipt> =>
  transact(client, () =>
    writeContract(client, {
      address: vaultAddress(parameters),
      abi: vaultAbi,
      functionName: 'collect',
      account: client.account,
      chain: client.chain,
    }),
  );

/** Reads a vault that exists. */
export async function readVault(
  client: ReadClient,
  parameters: VaultParameters & { readonly token: Address },
): Promise<VaultState> {
  const vault = vaultAddress(parameters);
  const [held, [amount, readyAt]] = await call(() =>
    Promise.all([
      readContract(client, {
        address: parameters.token,
        abi: testDollarAbi,
        functionName: 'balanceOf',
        args: [vault],
      }),
      readContract(client, { address: vault, abi: vaultAbi, functionName: 'batch' }),
    ]),
  );
  return { held, amount, readyAt };
}
