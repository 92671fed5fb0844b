/** Makes a model known to the chain under the id that commits to everything it computes. */
import type { Address, Hex } from '@assay/protocol';
import { modelRegistryAbi } from '@assay/protocol/abi';
import { encodeAbiParameters, keccak256, type TransactionReceipt, toBytes } from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

/** Fields of a model commitment, in the order of its hash. */
const MODEL_FIELDS = [
  'weightsRoot',
  'graphRoot',
  'tablesRoot',
  'tokenizerHash',
  'templateHash',
  'boundsHash',
  'specId',
] as const;

/** What decides what a model computes; see `IModelRegistry` for each field. */
export type ModelCommitment = { readonly [K in (typeof MODEL_FIELDS)[number]]: Hex };

/** Type string of {@link ModelCommitment}, as EIP-712 writes it. */
export const MODEL_TYPE = `Model(${MODEL_FIELDS.map((field) => `bytes32 ${field}`).join(',')})`;

/** Id of a model: its EIP-712 struct hash, without a domain, so that it is the same on every chain. */
export const modelCommitmentId = (model: ModelCommitment): Hex =>
  keccak256(
    encodeAbiParameters(
      [{ type: 'bytes32' }, ...MODEL_FIELDS.map(() => ({ type: 'bytes32' }) as const)],
      [keccak256(toBytes(MODEL_TYPE)), ...MODEL_FIELDS.map((field) => model[field])],
    ),
  );

export type RegisterModelParameters = {
  readonly modelRegistry: Address;
  readonly model: ModelCommitment;
  /** Where the file is; the id binds its content. */
  readonly uri: string;
};

export type RegisterModelResult = { readonly modelId: Hex; readonly receipt: TransactionReceipt };

/** Registers a model; refused as `model_known` if somebody did before. */
export async function registerModel(
  client: WriteClient,
  { modelRegistry, model, uri }: RegisterModelParameters,
): Promise<RegisterModelResult> {
  const { account, chain } = client;
  const receipt = await transact(client, () =>
    writeContract(client, {
      address: modelRegistry,
      abi: modelRegistryAbi,
      functionName: 'register',
      args: [model, uri],
      account,
      chain,
    }),
  );
  return { modelId: modelCommitmentId(model), receipt };
}
