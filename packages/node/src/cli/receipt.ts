/** `assay receipt`: read a receipt, and re-compute it on this machine with nobody's help. */
import { readFileSync } from 'node:fs';
import { decodeEnvelope, type Verdict, verifyReceipt } from '@assay/compute';
import { createWasmBackend } from '@assay/engine';
import { openModelFile, type Tokenizer } from '@assay/model';
import {
  AssayError,
  decodeJson,
  formatAmount,
  type Hex,
  isHexOf,
  type ReceiptEnvelope,
} from '@assay/protocol';
import { cachedModel, fetchModel, readModelFile } from '../model-store.js';
import { fetchGateway } from './gateway-client.js';
import { EXIT, type Output, print, table } from './output.js';
import { gatewayUrl } from './run-file.js';

export type ReceiptOptions = Output & {
  readonly home: string;
  readonly gateway?: string;
  readonly file?: string;
};

type Stored = { readonly envelope: unknown; readonly check: unknown; readonly createdAt: number };

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
  print(options, stored, receiptText(envelope));
}

const FINISH_WORDS = ['stop', 'length', 'cancelled'] as const;

function receiptText({ jobId, job, receipt }: ReceiptEnvelope): string {
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
  ]);
}

/** Exit 0: identical. Exit 1: different, or the receipt does not count. */
export async function verifyReceiptCommand(options: ReceiptOptions, id: string): Promise<void> {
  const envelope = await loadEnvelope(options, id);
  if (envelope.jobId !== id.toLowerCase()) throw wrongReceipt(id, envelope.jobId);
  const modelPath = await findModel(options, envelope.job.modelId);
  const { model, tokenizer, identity } = openModelFile(readModelFile(modelPath));
  if (identity.modelId !== envelope.job.modelId) throw wrongModel(identity.modelId);
  const contextLength = envelope.inputTokens.length + envelope.outputTokens.length;
  const session = createWasmBackend().createSession(model, { contextLength });
  const startedMs = performance.now();
  const verdict = await verifyReceipt({ envelope, session });
  const seconds = Math.round(performance.now() - startedMs) / 1_000;
  print(
    options,
    { ...verdict, receipt: id, model: envelope.job.modelId, seconds },
    verdictText(verdict, tokenizer, seconds),
  );
  if (verdict.result === 'different') process.exitCode = EXIT.refused;
}

async function loadEnvelope(options: ReceiptOptions, id: string): Promise<ReceiptEnvelope> {
  if (options.file === undefined) return decodeEnvelope((await fetchStored(options, id)).envelope);
  const document = decodeJson(readFileSync(options.file, 'utf8')) as { envelope?: unknown };
  return decodeEnvelope(document.envelope ?? document);
}

/** The model from the cache, else from the gateway; its id is recomputed either way. */
async function findModel(options: ReceiptOptions, modelId: Hex): Promise<string> {
  const cached = cachedModel(options.home, modelId);
  return cached ?? fetchModel(options.home, modelId, [gatewayUrl(options.home, options.gateway)]);
}

function verdictText(verdict: Verdict, tokenizer: Tokenizer, seconds: number): string {
  if (verdict.result === 'identical')
    return `identical: all ${verdict.tokens} tokens re-computed in ${seconds} s`;
  const { position, expected, found } = verdict;
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
