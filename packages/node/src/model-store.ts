/**
 * Model files by model id: the shipped one, files given by name, and files fetched from providers. A fetched file is
 * kept only if its recomputed id is the one that was asked for.
 */
import { copyFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openModelFile } from '@assay/model';
import { AssayError, type Hex } from '@assay/protocol';
import { type FileSource, openFileSource } from './file-source.js';
import { roleFolder } from './home.js';
import { openAnswer, readBody } from './peers/http-client.js';

/** The model that the repository ships. */
export const SHIPPED_MODEL_PATH = fileURLToPath(
  new URL('../../../models/assay-mini.gguf', import.meta.url),
);

/** Largest model file that is fetched from a peer: what a 32-bit WebAssembly memory can hold. */
const FETCH_BYTES_MAX = 4 * 1024 ** 3;

const pathOf = (home: string, modelId: Hex): string =>
  join(roleFolder(home, 'models'), `${modelId}.gguf`);

/** The cached file of a model, undefined if it is not here. */
export function cachedModel(home: string, modelId: Hex): string | undefined {
  const path = pathOf(home, modelId);
  return existsSync(path) ? path : undefined;
}

/** Puts a model file, or the bytes of one, into the cache under its id. */
export function cacheModel(home: string, modelId: Hex, file: string | Uint8Array): string {
  const path = pathOf(home, modelId);
  if (existsSync(path)) return path;
  const draft = `${path}.${process.pid}.tmp`;
  if (typeof file === 'string') copyFileSync(file, draft);
  else writeFileSync(draft, file, { flush: true });
  renameSync(draft, path);
  return path;
}

type Headers = Readonly<Record<string, string>>;

const unavailable = (modelId: Hex, cause?: unknown): AssayError =>
  new AssayError({
    code: 'model_unavailable',
    fault: 'peer',
    message: 'No provider handed out the file of this model.',
    value: modelId,
    remedy:
      'Try again later, or put the file into the data folder with `assay provider --model FILE`.',
    cause,
  });

/** The cached file, else the first provider's file whose id is right; `headers` go to every endpoint. */
export async function fetchModel(
  home: string,
  modelId: Hex,
  endpoints: readonly string[],
  headers: Headers = {},
): Promise<string> {
  const cached = cachedModel(home, modelId);
  if (cached !== undefined) return cached;
  let last: unknown;
  for (const endpoint of endpoints) {
    try {
      return await fetchFrom(home, modelId, endpoint, headers);
    } catch (error) {
      last = error;
    }
  }
  throw unavailable(modelId, last);
}

async function fetchFrom(
  home: string,
  modelId: Hex,
  endpoint: string,
  headers: Headers,
): Promise<string> {
  const answer = await openAnswer({ url: `${endpoint}/v1/models/${modelId}/file`, headers });
  if (answer.statusCode !== 200) {
    answer.resume();
    throw unavailable(modelId);
  }
  const bytes = await readBody(answer, FETCH_BYTES_MAX);
  if (openModelFile(bytes).identity.modelId !== modelId)
    throw unavailable(modelId, new Error('the file is of another model'));
  const path = pathOf(home, modelId);
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, bytes, { flush: true });
  renameSync(draft, path);
  return path;
}

/** Opens a file by path for as long as the process lives; throws `model_file_unreadable`. */
export function openModelSource(path: string): FileSource {
  try {
    return openFileSource(path);
  } catch (cause) {
    throw new AssayError({
      code: 'model_file_unreadable',
      fault: 'user',
      message: 'The model file cannot be read.',
      value: path,
      remedy: 'Give the path of a GGUF file with --model.',
      cause,
    });
  }
}
