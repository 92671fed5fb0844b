/**
 * A transaction from call to inclusion, and the failures on the way as {@link AssayError}: a custom error of a contract
 * keeps its name (`NothingToClaim` is `nothing_to_claim`). Of contracts it knows only how payment tokens refuse. How
 * often the chain is asked is the client's `pollingInterval`.
 */
import { AssayError, type Hex, printValue } from '@assay/protocol';
import { testDollarAbi } from '@assay/protocol/abi';
import {
  type Account,
  BaseError,
  type Chain,
  type Client,
  ContractFunctionRevertedError,
  decodeErrorResult,
  type TransactionReceipt,
  type Transport,
} from 'viem';
import { waitForTransactionReceipt } from 'viem/actions';

/** A chain to read from. */
export type ReadClient = Client<Transport, Chain | undefined, Account | undefined>;

/** A chain to write to, and the account that signs. */
export type WriteClient = Client<Transport, Chain, Account>;

/** `NothingToClaim` becomes `nothing_to_claim`. */
const snakeCase = (name: string): string => name.replace(/(?<!^)([A-Z])/g, '_$1').toLowerCase();

/** Name and arguments of a custom error, also where a payment token refused beneath the contract that was called. */
function nameRevert(
  revert: ContractFunctionRevertedError,
): { readonly errorName: string; readonly args?: readonly unknown[] | undefined } | undefined {
  if (revert.data !== undefined) return revert.data;
  if (revert.raw === undefined) return undefined;
  try {
    return decodeErrorResult({ abi: testDollarAbi, data: revert.raw });
  } catch {
    return undefined;
  }
}

/** What went wrong, in our words; other errors than the chain's pass unchanged. */
export function chainError(error: unknown): unknown {
  if (!(error instanceof BaseError)) return error;
  const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  const named = revert instanceof ContractFunctionRevertedError ? nameRevert(revert) : undefined;
  if (named !== undefined) {
    const { errorName, args } = named;
    return new AssayError({
      code: snakeCase(errorName),
      message: `The contract refused: ${errorName}.`,
      fault: 'user',
      value: printValue(args ?? []),
      remedy: 'The interface of the contract says when it refuses with this name.',
      cause: error,
    });
  }
  return new AssayError({
    code: 'chain_call_failed',
    message: 'The chain did not accept the call.',
    fault: 'platform',
    value: printValue(error.shortMessage),
    remedy: 'Check that the chain answers and that the account has coin for gas.',
    cause: error,
  });
}

const transactionReverted = (hash: Hex): AssayError =>
  new AssayError({
    code: 'transaction_reverted',
    message: 'The transaction was included, but the contract refused it.',
    fault: 'user',
    value: hash,
    remedy: 'Something changed between the estimate and the block; read the state and try again.',
  });

/** Runs a read and gives its failure in our words. */
export async function call<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw chainError(error);
  }
}

/** Waits until `hash` is in a block; throws if it failed there. */
export async function confirm(client: ReadClient, hash: Hex): Promise<TransactionReceipt> {
  const receipt = await call(() => waitForTransactionReceipt(client, { hash }));
  if (receipt.status !== 'success') throw transactionReverted(hash);
  return receipt;
}

/** Sends a transaction and waits until it is in a block. */
export async function transact(
  client: ReadClient,
  send: () => Promise<Hex>,
): Promise<TransactionReceipt> {
  return confirm(client, await call(send));
}
