/** `assay model`: what is offered, what a file holds, and files from one form into another. */
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  bytesPerToken,
  createWasmBackend,
  EngineError,
  type EngineModel,
  type ExportedGguf,
  exportGguf,
  exportSafetensors,
  type GgufMetadata,
  loadGgufModel,
  measureResidualRoom,
  RESIDUAL_BITS_MAX,
  RESIDUAL_BITS_MIN,
  type ResidualRoom,
  withResidualBits,
} from '@assay/engine';
import { modelIdentity } from '@assay/model';
import { AssayError, type Hex, isHexOf } from '@assay/protocol';
import { cacheModel } from '../model-store.js';
import { fetchGateway } from './gateway-client.js';
import { type ModelInput, openWholeModel, withModelInput } from './model-input.js';
import { EXIT, type Output, print, table } from './output.js';
import { gatewayUrl } from './run-file.js';

export type ListOptions = Output & { readonly home: string; readonly gateway?: string };

type Listed = { readonly id: string; readonly model_id: string; readonly owned_by: string };

export async function listModels(options: ListOptions): Promise<void> {
  const url = gatewayUrl(options.home, options.gateway);
  const { data } = (await fetchGateway({ url: `${url}/v1/models` })) as { data: readonly Listed[] };
  const rows = data.map(({ id, model_id, owned_by }) => [id, model_id, owned_by]);
  print(options, { models: data }, rows.length === 0 ? 'no models are offered' : table(rows));
}

export async function inspectModel(options: FileOptions, path: string): Promise<void> {
  const { file } = openWholeModel(
    { path, tokenizer: options.tokenizer },
    (input) => writeWhole(input).bytes,
  );
  const { info, identity, tokenizer, model } = file;
  const document = {
    file: path,
    ...info,
    vocabularySize: tokenizer.vocabularySize,
    config: model.config,
    bytesPerToken: bytesPerToken(model.config),
    residual: residualRoom(model),
    identity,
  };
  const rows = [
    ['name', info.name],
    ['architecture', info.architecture],
    ['parameters', info.parameterCount.toLocaleString('en-US')],
    ['context', `${info.contextLength} tokens`],
    ['vocabulary', String(tokenizer.vocabularySize)],
    ['keys and values', `${bytesPerToken(model.config).toLocaleString('en-US')} bytes per token`],
    ['residual stream', describeRoom(document.residual)],
    ['file', `${info.fileSize.toLocaleString('en-US')} bytes, sha256 ${info.fileHash.slice(2)}`],
    ['', ''],
    ...Object.entries(identity).map(([name, value]) => [name, String(value)]),
  ];
  print(options, document, table(rows));
}

/** What WebAssembly memory holds of weights beside a sample's activations. */
const WEIGHT_BYTES_MAX = 3.75 * 2 ** 30;

/** Head-room of the residual stream over a sample of tokens; undefined for a model that does not fit in memory here. */
function residualRoom(model: EngineModel): ResidualRoom | undefined {
  if (weightBytes(model) > WEIGHT_BYTES_MAX) return undefined;
  try {
    return measureResidualRoom({ backend: createWasmBackend(), model });
  } catch (error) {
    if (error instanceof EngineError && error.code === 'memory_exhausted') return undefined;
    throw error;
  }
}

/** A byte per weight and two per block of 32. */
function weightBytes({ graph }: EngineModel): number {
  let sum = 0;
  for (const { kind, shape } of graph.weights) {
    if (kind === 'W8') sum += shape[0]! * shape[1]! * (17 / 16);
  }
  return sum;
}

function describeRoom(room: ResidualRoom | undefined): string {
  if (room === undefined) return 'not measured: the model does not fit into the memory here';
  const { residualBits, saturationCount, roomBits, suggestedBits, positionCount } = room;
  const grid = `${residualBits} fraction bits`;
  if (suggestedBits === residualBits) {
    return `${grid}, room for ${2 ** roomBits} times the largest of ${positionCount} tokens`;
  }
  const found =
    saturationCount > 0
      ? `${saturationCount} elements clamped in ${positionCount} tokens`
      : `too little room above the largest of ${positionCount} tokens`;
  const advice =
    suggestedBits === undefined
      ? 'no grid of this arithmetic holds this model'
      : `convert it with --residual-bits ${suggestedBits}`;
  return `${grid}, ${found}: ${advice}`;
}

/** Recomputes a file's id from its weights, tokenizer and template; exit code 1 if it is not the stated one. */
export async function verifyModel(
  options: FileOptions & { readonly id: string },
  path: string,
): Promise<void> {
  const wanted = checkId(options.id);
  const found = withModelInput({ path, tokenizer: options.tokenizer }, idOf);
  const same = found === wanted;
  const text = same ? `${found} is this file's id` : `this file's id is ${found}, not ${wanted}`;
  print(options, { file: path, modelId: found, expected: wanted, same }, text);
  if (!same) process.exitCode = EXIT.refused;
}

/** Puts a model into the data folder's cache, where every role looks first; as GGUF, if it is in another form. */
export async function addModel(
  options: FileOptions & { readonly home: string },
  path: string,
): Promise<void> {
  const { file, written } = openWholeModel(
    { path, tokenizer: options.tokenizer },
    (input) => writeWhole(input).bytes,
  );
  const { model, identity } = file;
  const { modelId } = identity;
  const cached = cacheModel(options.home, modelId, written ?? path);
  const residual = residualRoom(model);
  print(
    options,
    { modelId, file: cached, residual },
    table([
      ['model', modelId],
      ['file', cached],
      ['residual stream', describeRoom(residual)],
    ]),
  );
}

/** Of a model in any form; the tokenizer comes from another GGUF file if one is named. */
export type FileOptions = Output & { readonly tokenizer?: string };

export type ConvertOptions = FileOptions & {
  /** Fraction bits of the residual stream, as text; those of the model unless given. */
  readonly residualBits?: string;
};

/** Writes a model in another form, chosen by the ending of `to`; never over a file that is there. */
export async function convertModel(
  options: ConvertOptions,
  from: string,
  to: string,
): Promise<void> {
  const write = to.endsWith('.gguf') ? writeGgufTo : writeSafetensorsTo;
  if (write === writeSafetensorsTo && !to.endsWith('.safetensors')) throw unknownEnding(to);
  const bits = options.residualBits === undefined ? undefined : checkBits(options.residualBits);
  const result = withModelInput({ path: from, tokenizer: options.tokenizer }, (input) =>
    write(
      bits === undefined ? input : { ...input, model: withResidualBits(input.model, bits) },
      to,
    ),
  );
  const rows = Object.entries(result).map(([name, value]) => [name, String(value)]);
  print(options, result, table(rows));
}

/** What a conversion says of its result. */
type Converted = {
  readonly files: readonly string[];
  readonly bytes: number;
  /** Whether every weight kept its value. */
  readonly lossless: boolean;
  /** Absent where the format has no tokenizer, which an id commits to. */
  readonly modelId?: Hex;
};

function writeWhole({ model, metadata }: ModelInput): ExportedGguf {
  requireTokenizer(metadata);
  return exportGguf({ model, metadata });
}

function writeGgufTo(input: ModelInput, to: string): Converted {
  const { bytes, roundedTensors } = writeWhole(input);
  const written = loadGgufModel(bytes);
  const modelId = idOf({ model: written.model, metadata: written.file.metadata });
  writeNew([[to, bytes]]);
  return { files: [to], bytes: bytes.length, lossless: roundedTensors.length === 0, modelId };
}

function writeSafetensorsTo({ model }: ModelInput, to: string): Converted {
  const { weights, config } = exportSafetensors({ model });
  const configPath = join(dirname(to), 'config.json');
  writeNew([
    [to, weights],
    [configPath, config],
  ]);
  return { files: [to, configPath], bytes: weights.length, lossless: true };
}

/** Writes all or none: each under another name first, which it gets rid of when it is whole. */
function writeNew(files: readonly (readonly [path: string, content: Uint8Array | string])[]): void {
  for (const [path] of files) {
    if (existsSync(path)) throw alreadyThere(path);
    if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) throw noFolder(path);
  }
  const draft = (path: string) => `${path}.${process.pid}.tmp`;
  try {
    for (const [path, content] of files) writeFileSync(draft(path), content, { flush: true });
    for (const [path] of files) renameSync(draft(path), path);
  } finally {
    for (const [path] of files) rmSync(draft(path), { force: true });
  }
}

const idOf = ({ model, metadata }: ModelInput): Hex => modelIdentity({ model, metadata }).modelId;

function requireTokenizer(metadata: GgufMetadata): void {
  if (metadata.has('tokenizer.ggml.model')) return;
  throw new AssayError({
    code: 'model_tokenizer_missing',
    fault: 'user',
    message: 'The model comes without a tokenizer that can be converted.',
    remedy: 'Name a GGUF file with the same tokenizer by --tokenizer.',
  });
}

function checkBits(text: string): number {
  const bits = Number(text);
  if (Number.isInteger(bits) && bits >= RESIDUAL_BITS_MIN && bits <= RESIDUAL_BITS_MAX) return bits;
  throw new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: `The residual stream has ${RESIDUAL_BITS_MIN} to ${RESIDUAL_BITS_MAX} fraction bits.`,
    value: text,
    remedy: 'Take the number that `assay model inspect` advises.',
  });
}

function checkId(id: string): Hex {
  if (isHexOf(id, 32)) return id;
  throw new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'A model id is 0x and 64 hexadecimal digits.',
    value: id,
    remedy: 'Take it from `assay model list` or `assay model inspect`.',
  });
}

const unknownEnding = (path: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: 'A model is written as .gguf or as .safetensors.',
    value: path,
    remedy: 'End the name of the result with one of the two.',
  });

const alreadyThere = (path: string): AssayError =>
  new AssayError({
    code: 'file_exists',
    fault: 'user',
    message: 'There is a file of this name already.',
    value: path,
    remedy: 'Choose another name or folder, or move that file away.',
  });

const noFolder = (path: string): AssayError =>
  new AssayError({
    code: 'folder_missing',
    fault: 'user',
    message: 'The folder for the result is not there.',
    value: path,
    remedy: 'Make it first.',
  });
