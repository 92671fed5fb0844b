/**
 * Models on disk in every form that the engine reads: a GGUF file, the parts of a split one (any of them names all), a
 * folder with safetensors. Bytes are read when they are asked for, so a file is never in memory as a whole.
 */
import { statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type ByteSource,
  EngineError,
  type EngineModel,
  type GgufMetadata,
  type GgufValue,
  loadGgufFile,
  loadSafetensorsFolder,
  type ModelFolder,
  readFolderText,
  readGguf,
  readGgufParts,
} from '@assay/engine';
import { type ModelFile, openModelFile } from '@assay/model';
import { AssayError } from '@assay/protocol';
import { type FileSource, openFileSource } from '../file-source.js';
import { openModelSource } from '../model-store.js';

/** An opened model; metadata without a tokenizer leaves open how text becomes token ids. */
export type ModelInput = {
  readonly model: EngineModel;
  readonly metadata: GgufMetadata;
};

/** Name of a part, as llama.cpp's gguf-split writes it. */
const PART_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/** Which model; the tokenizer and template come from another GGUF file if one is named. */
export type ModelPath = { readonly path: string; readonly tokenizer?: string | undefined };

/** Opens a model for the time of `use`. */
export function withModelInput<Result>(
  { path, tokenizer }: ModelPath,
  use: (input: ModelInput) => Result,
): Result {
  return withFiles((open) => {
    const text = tokenizer === undefined ? undefined : readText(tokenizer, open);
    return use(isGguf(path) ? openGguf(path, text, open) : openFolder(path, text, open));
  });
}

type Open = (path: string) => ByteSource | undefined;

const isGguf = (path: string): boolean => !isFolder(path) && !path.endsWith('.safetensors');

function openGguf(path: string, text: GgufMetadata | undefined, open: Open): ModelInput {
  const sources = partPaths(path).map((part) => need(open, part));
  const { model, file } = loadGgufFile(readGgufParts(sources), { weights: 'streamed' });
  if (text === undefined) return { model, metadata: file.metadata };
  const others = [...file.metadata].filter(([key]) => !isTextKey(key));
  return { model, metadata: new Map([...others, ...text]) };
}

function openFolder(path: string, text: GgufMetadata | undefined, open: Open): ModelInput {
  const folder = isFolder(path) ? path : dirname(path);
  const files = folderFiles(
    { folder, weights: folder === path ? undefined : basename(path) },
    open,
  );
  const name: GgufValue = { type: 'string', value: basename(resolve(folder)) };
  const metadata = new Map([['general.name', name], ...(text ?? readFolderText(files))]);
  return { model: loadSafetensorsFolder(files, { weights: 'streamed' }).model, metadata };
}

/** What a GGUF file says about text, without its weights. */
function readText(path: string, open: Open): GgufMetadata {
  const { metadata } = readGguf(need(open, path));
  return new Map([...metadata].filter(([key]) => isTextKey(key)));
}

const isTextKey = (key: string): boolean => key.startsWith('tokenizer.');

/** Files of a folder by name; a weights file of another name stands for the usual one, without an index. */
function folderFiles(
  { folder, weights }: { readonly folder: string; readonly weights: string | undefined },
  open: Open,
): ModelFolder {
  return {
    open(name) {
      if (weights === undefined) return open(join(folder, name));
      if (name === 'model.safetensors') return open(join(folder, weights));
      return name === 'model.safetensors.index.json' ? undefined : open(join(folder, name));
    },
  };
}

/** All parts of the model to which a part belongs, else the path alone. */
function partPaths(path: string): readonly string[] {
  const [, stem, , count] = PART_NAME.exec(basename(path)) ?? [];
  if (stem === undefined || count === undefined) return [path];
  const folder = dirname(path);
  return Array.from({ length: Number(count) }, (_, index) =>
    join(folder, `${stem}-${String(index + 1).padStart(5, '0')}-of-${count}.gguf`),
  );
}

const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** A model with everything that a provider needs of it, and the bytes of its file where there was none. */
export type WholeModel = { readonly file: ModelFile; readonly written?: Uint8Array };

/** Opens one GGUF file as it is, and whatever else the engine reads as the GGUF file that `write` makes of it. */
export function openWholeModel(
  { path, tokenizer }: ModelPath,
  write: (input: ModelInput) => Uint8Array,
): WholeModel {
  if (tokenizer === undefined && isGguf(path) && !PART_NAME.test(basename(path))) {
    return { file: withNamedErrors(() => openModelFile(openModelSource(path))) };
  }
  const written = withModelInput({ path, tokenizer }, write);
  return { file: withNamedErrors(() => openModelFile(written)), written };
}

/** Gives a way to open files that are closed again when `use` returns or throws. */
function withFiles<Result>(use: (open: Open) => Result): Result {
  const files: FileSource[] = [];
  const open = (path: string): ByteSource | undefined => {
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
    const file = openFileSource(path);
    files.push(file);
    return file;
  };
  try {
    return withNamedErrors(() => use(open));
  } finally {
    for (const file of files) file.close();
  }
}

function need(open: Open, path: string): ByteSource {
  const source = open(path);
  if (source !== undefined) return source;
  throw new AssayError({
    code: 'model_file_unreadable',
    fault: 'user',
    message: 'The model file cannot be read.',
    value: path,
    remedy: 'Give the path of a GGUF file, or of a folder with safetensors and config.json.',
  });
}

/** The engine imports nothing, so it has an error class of its own; commands print one shape. */
function withNamedErrors<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof EngineError)) throw cause;
    const { code, message, fault, value, remedy } = cause;
    throw new AssayError({ code, message, fault, value, remedy, cause });
  }
}
