/** `assay receipt`: read a receipt, and re-compute it on this machine with nobody's help. */
import { readFileSync } from 'node:fs';
import {
  assertEvidence,
  assertNetwork,
  decodeEnvelope,
  type Network,
  reexecute,
  type Verdict,
} from '@assay/compute';
import { assertFit, createWasmBackend } from '@assay/engine';
import { openModelFile, type Tokenizer, tokenMasks } from '@assay/model';
import {
  type Address,
  AssayError,
  decodeJson,
  formatAmount,
  type Hex,
  isHexOf,
  type ReceiptEnvelope,
} from '@assay/protocol';
import { readAddressFile } from '../chain-access.js';
import { cachedModel, fetchModel, openModelSource } from '../model-store.js';
import { auditLines, type ShownAudit } from './audit.js';
import { fetchGateway, gatewayHeaders } from './gateway-client.js';
import { EXIT, type Output, print, table } from './output.js';
import { gatewayUrl, knownGatewayUrl } from './run-file.js';

export type ReceiptOptions = Output & {
  readonly home: string;
  readonly gateway?: string;
  readonly file?: string;
};

type Stored = {
  readonly envelope: unknown;
  readonly check: unknown;
  readonly createdAt: number;
  readonly audits?: readonly ShownAudit[];
};

const badId = (id: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'A receipt id is 0x and 64 hexadecimal digits.',
    value: id,
    remedy: 'Take it from the last line of `assay ask`.',
  });

async function fetchStored(options: ReceiptOptions, id: string): Promise<Stored> {
  if (!isHexOf(id, 32)) throw badId(id);
  const url = gatewayUrl(options.home, options.gateway);
  return (await fetchGateway({ url: `${url}/v1/receipts/${id}` })) as Stored;
}

export async function showReceipt(options: ReceiptOptions, id: string): Promise<void> {
  const stored = await fetchStored(options, id);
  const envelope = decodeEnvelope(stored.envelope);
  print(options, stored, receiptText(envelope, stored.audits ?? []));
}

const FINISH_WORDS = ['stop', 'length', 'cancelled'] as const;

function receiptText(
  { jobId, job, receipt }: ReceiptEnvelope,
  audits: readonly ShownAudit[],
): string {
  return table([
    ['receipt', jobId],
    ['provider', job.provider],
    ['requester', job.requester],
    ['model', job.modelId],
    [
      'tokens',
      `${job.inputCount} in, ${receipt.outputCount} out, ended by ${FINISH_WORDS[receipt.finish]}`,
    ],
    ['price', formatAmount(receipt.price)],
    ['channel', `${job.channelId} lane ${job.lane}`],
    ['output', receipt.outputRoot],
    ...auditLines(audits),
  ]);
}

/** What verification found; `invalid`: the receipt does not count at all, whatever its tokens are. */
type Found =
  | {
      readonly result: 'computed';
      readonly model: Hex;
      readonly verdict: Verdict;
      readonly tokenizer: Tokenizer;
      /** `unknown`: nothing here says which chain and contract the receipt should be bound to. */
      readonly network: 'same' | 'unknown';
    }
  | { readonly result: 'invalid'; readonly reason: string };

/** Exit 0: identical. Exit 1: different, or the receipt does not count. */
export async function verifyReceiptCommand(options: ReceiptOptions, id: string): Promise<void> {
  const document = await loadDocument(options, id);
  const startedMs = performance.now();
  const found = await judge(options, id, document);
  const seconds = Math.round(performance.now() - startedMs) / 1_000;
  if (found.result === 'invalid') {
    print(options, { ...found, receipt: id, seconds }, `invalid: ${found.reason}`);
    process.exitCode = EXIT.refused;
    return;
  }
  const { verdict, tokenizer, model, network } = found;
  const text = verdictText(verdict, tokenizer, seconds);
  print(
    options,
    { ...verdict, receipt: id, model, network, seconds },
    network === 'same' ? text : `${text}\n${NETWORK_UNKNOWN}`,
  );
  if (verdict.result === 'different') process.exitCode = EXIT.refused;
}

const NETWORK_UNKNOWN =
  'Not compared: chain and contract. Name a gateway of your network with --gateway, or its data folder with --home.';

/** Codes of a receipt that is itself wrong: its shape, its evidence, or tokens that no honest engine can be fed. */
const INVALID_CODES = new Set([
  'receipt_invalid',
  'malformed_message',
  'context_too_long',
  'token_invalid',
  'sampler_invalid',
]);

async function judge(options: ReceiptOptions, id: string, document: unknown): Promise<Found> {
  try {
    const envelope = decodeEnvelope(document);
    if (envelope.jobId !== id.toLowerCase()) throw wrongReceipt(id, envelope.jobId);
    const network = await findNetwork(options, envelope.chainId);
    if (network !== undefined) assertNetwork(envelope, network);
    await assertEvidence(envelope);
    const found = await recompute(options, envelope);
    return { ...found, network: network === undefined ? 'unknown' : 'same' };
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== 'string' || !INVALID_CODES.has(code)) throw error;
    return { result: 'invalid', reason: message };
  }
}

/** The network of this data folder: what its address file says of the chain, else what its gateway says. */
async function findNetwork(options: ReceiptOptions, chainId: number): Promise<Network | undefined> {
  const { home, gateway } = options;
  const known = readAddressFile(home, chainId);
  if (known !== undefined) return { chainId, receipts: known.addresses.receipts };
  const url = knownGatewayUrl(home, gateway);
  if (url === undefined) return undefined;
  try {
    const answer = (await fetchGateway({ url: `${url}/v1/network` })) as NetworkAnswer;
    return { chainId: answer.chain.id, receipts: answer.contracts.receipts };
  } catch (error) {
    // A receipt from a file can be judged without any gateway; the verdict then says what was not compared.
    if (options.file === undefined) throw error;
    return undefined;
  }
}

type NetworkAnswer = {
  readonly chain: { readonly id: number };
  readonly contracts: { readonly receipts: Address };
};

type Computed = Extract<Found, { result: 'computed' }>;

async function recompute(
  options: ReceiptOptions,
  envelope: ReceiptEnvelope,
): Promise<Omit<Computed, 'network'>> {
  const modelPath = await findModel(options, envelope.job.modelId);
  const { model, tokenizer, identity } = openModelFile(openModelSource(modelPath));
  if (identity.modelId !== envelope.job.modelId) throw wrongModel(identity.modelId);
  const contextLength = envelope.inputTokens.length + envelope.outputTokens.length;
  const backend = createWasmBackend();
  assertFit(backend);
  const session = backend.createSession(model, { contextLength });
  const openMask = tokenMasks(tokenizer);
  const verdict = reexecute({ envelope, session, openMask });
  return { result: 'computed', model: identity.modelId, verdict, tokenizer };
}

/** A receipt of the gateway with everything that proves it. */
export const fetchEnvelope = async (
  options: Pick<ReceiptOptions, 'home' | 'json' | 'gateway'>,
  id: string,
): Promise<ReceiptEnvelope> => decodeEnvelope((await fetchStored(options, id)).envelope);

async function loadDocument(options: ReceiptOptions, id: string): Promise<unknown> {
  if (!isHexOf(id, 32)) throw badId(id);
  if (options.file === undefined) return (await fetchStored(options, id)).envelope;
  const document = readReceiptFile(options.file);
  return (document as { envelope?: unknown } | null)?.envelope ?? document;
}

function readReceiptFile(path: string): unknown {
  try {
    return decodeJson(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AssayError({
      code: 'receipt_file_unreadable',
      fault: 'user',
      message: 'The receipt file cannot be read, or is not JSON.',
      value: path,
      remedy: 'Give --file what `assay receipt show ID --json` printed.',
      cause,
    });
  }
}

/** The model from the cache, else from the gateway; its id is recomputed either way. */
async function findModel(options: ReceiptOptions, modelId: Hex): Promise<string> {
  const cached = cachedModel(options.home, modelId);
  if (cached !== undefined) return cached;
  const gateway = gatewayUrl(options.home, options.gateway);
  return fetchModel(options.home, modelId, [gateway], gatewayHeaders());
}

function verdictText(verdict: Verdict, tokenizer: Tokenizer, seconds: number): string {
  if (verdict.result === 'identical')
    return `identical: all ${verdict.tokens} tokens re-computed in ${seconds} s`;
  const { position, expected, found, part } = verdict;
  if (part !== undefined)
    return `different ${part} at ${position}: the model gives ${expected}, the receipt says ${found}`;
  const show = (token: number): string =>
    JSON.stringify(tokenizer.decode([token], { special: true }));
  return `different at token ${position}: the model gives ${show(expected)}, the receipt says ${show(found)}`;
}

const wrongReceipt = (wanted: string, found: Hex): AssayError =>
  new AssayError({
    code: 'receipt_invalid',
    fault: 'user',
    message: 'This is another receipt.',
    value: found,
    remedy: `Give the receipt ${wanted}.`,
  });

const wrongModel = (found: Hex): AssayError =>
  new AssayError({
    code: 'model_unavailable',
    fault: 'platform',
    message: 'The cached file is of another model.',
    value: found,
    remedy: 'Delete it from models/ in the data folder.',
  });
