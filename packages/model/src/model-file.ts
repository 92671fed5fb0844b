/**
 * The one way in which provider, gateway, verifier and page open a model: bytes in; model, tokenizer, conversation
 * format and identity out. It knows no disk and no network.
 */
import {
  type ByteSource,
  bytesSource,
  type EngineModel,
  type GgufFile,
  type GgufMetadata,
  ggufConfig,
  loadGgufModel,
  metadataString,
  readGguf,
} from '@assay/engine';
import { type Hex, sha256Of, toHex } from '@assay/protocol';
import { type Chat, createChat } from './chat.js';
import { modelError } from './errors.js';
import { type ModelIdentity, modelIdentity } from './identity.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';

/** What people want to know of a model file. */
export type ModelInfo = {
  /** As the publisher wrote it; nothing binds it. */
  readonly name: string;
  readonly architecture: string;
  readonly parameterCount: number;
  /** Most token ids of prompt and answer together. */
  readonly contextLength: number;
  /** SHA-256 of the file; computed on first use. */
  readonly fileHash: Hex;
  /** Bytes of the file. */
  readonly fileSize: number;
};

/** What turns text into ids and back; enough for a gateway. */
export type TextFile = {
  readonly tokenizer: Tokenizer;
  readonly chat: Chat;
  readonly metadata: GgufMetadata;
  /** As {@link ModelInfo}, without hashing the file. */
  readonly contextLength: number;
  readonly name: string;
  /** Elements of a row of the residual stream, and so of an embedding. */
  readonly width: number;
};

/** An opened model file. */
export type ModelFile = TextFile & {
  readonly info: ModelInfo;
  readonly model: EngineModel;
  /** Computed on first use: it hashes every weight. */
  readonly identity: ModelIdentity;
};

/**
 * Opens a whole model file. Bytes are read at once; of a source, weights are read when they are needed, so that a file
 * of any size takes the memory of its largest tensor. It must stay readable as long as the model is used.
 *
 * @example
 * const { model, tokenizer, chat, identity } = openModelFile(new Uint8Array(await readFile(path)));
 * const prompt = chat.renderChat([{ role: 'user', content: 'Hello' }]);
 */
export function openModelFile(from: Uint8Array | ByteSource): ModelFile {
  const { model, file, parameterCount } = loadGgufModel(from);
  const text = openText(file);
  let identity: ModelIdentity | undefined;
  let fileHash: Hex | undefined;
  return {
    ...text,
    model,
    info: {
      name: text.name,
      architecture: metadataString(file.metadata, 'general.architecture') ?? '',
      parameterCount,
      contextLength: text.contextLength,
      get fileHash() {
        fileHash ??= toHex(sha256Of(partsOf(file.source)));
        return fileHash;
      },
      fileSize: file.source.size,
    },
    get identity() {
      identity ??= modelIdentity({ model, metadata: file.metadata });
      return identity;
    },
  };
}

/** Bytes that are hashed at once. */
const PART_BYTES = 2 ** 20;

function* partsOf(source: ByteSource): Iterable<Uint8Array> {
  for (let at = 0; at < source.size; at += PART_BYTES) {
    yield source.read(at, Math.min(PART_BYTES, source.size - at));
  }
}

/** Opens what text needs and reads no weights: milliseconds where {@link openModelFile} takes seconds. */
export const openTokenizerOnly = (from: Uint8Array | ByteSource): TextFile =>
  openText(readGguf(from instanceof Uint8Array ? bytesSource(from) : from));

function openText(file: GgufFile): TextFile {
  const { metadata } = file;
  const config = ggufConfig(file);
  const tokenizer = createTokenizer(metadata, { contextLength: config.contextLength });
  if (tokenizer.vocabularySize !== config.vocabularySize) {
    throw modelError({
      code: 'model_file_inconsistent',
      message: `The tokenizer has ${tokenizer.vocabularySize} entries, the model ${config.vocabularySize}.`,
      value: tokenizer.vocabularySize,
    });
  }
  return {
    tokenizer,
    chat: createChat(metadata, tokenizer),
    metadata,
    contextLength: config.contextLength,
    name: metadataString(metadata, 'general.name') ?? 'unnamed',
    width: config.width,
  };
}
