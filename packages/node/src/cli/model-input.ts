/**
 * Models on disk in every form that the engine reads: a GGUF file, the parts of a split one (any of them names all), a
 * folder with safetensors. Bytes are read when they are asked for, so a file is never in memory as a whole.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  type ByteSource,
  type EngineModel,
  EngineError,
  type GgufMetadata,
  loadGgufFile,
  loadSafetensorsFolder,
  readFolderText,
  readGguf,
  readGgufParts,
} from '@assay/engine';
import { AssayError } from '@assay/protocol';

/** An opened model; without metadata nobody has said how text becomes token ids. */
export type ModelInput = {
  readonly model: EngineModel;
  readonly metadata: GgufMetadata;
};

/** Name of a part, as llama.cpp's gguf-split writes it. */
const PART_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/** Opens a model for the time of `use`. */
export function withModelInput<Result>(path: string, use: (input: ModelInput) => Result): Result {
  return withFiles((open) => use(openInput(path, open)));
}

/** The metadata of a GGUF file, without its weights. */
export const readMetadataOf = (path: string): GgufMetadata =>
  withFiles((open) => readGguf(need(open, path)).metadata);

type Open = (path: string) => ByteSource | undefined;

function openInput(path: string, open: Open): ModelInput {
  if (isFolder(path) || path.endsWith('.safetensors')) {
    const folder = isFolder(path) ? { path, weights: undefined } : { path: dirname(path), weights: basename(path) };
    const files = folderFiles(folder, open);
    return { model: loadSafetensorsFolder(files).model, metadata: readFolderText(files) };
  }
  const { model, file } = loadGgufFile(readGgufParts(partPaths(path).map((part) => need(open, part))));
  return { model, metadata: file.metadata };
}

/** Files of a folder by name; a weights file of another name stands for the usual one, without an index. */
function folderFiles(folder: { readonly path: string; readonly weights: string | undefined }, open: Open) {
  const { path, weights } = folder;
  return {
    open(name: string) {
      if (weights === undefined) return open(join(path, name));
      if (name === 'model.safetensors') return open(join(path, weights));
      return name === 'model.safetensors.index.json' ? undefined : open(join(path, name));
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

/** Gives a way to open files that are closed again when `use` returns or throws. */
function withFiles<Result>(use: (open: Open) => Result): Result {
  const handles: number[] = [];
  const open = (path: string): ByteSource | undefined => {
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
    const handle = openSync(path, 'r');
    handles.push(handle);
    return fileSource(handle);
  };
  try {
    return use(open);
  } catch (error) {
    throw error instanceof EngineError ? named(error) : error;
  } finally {
    for (const handle of handles) closeSync(handle);
  }
}

const fileSource = (handle: number): ByteSource => ({
  size: fstatSync(handle).size,
  read(offset, length) {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = readSync(handle, bytes, done, length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  },
});

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
const named = ({ code, message, fault, value, remedy, stack }: EngineError): AssayError =>
  new AssayError({ code, message, fault, value, remedy, cause: stack });
