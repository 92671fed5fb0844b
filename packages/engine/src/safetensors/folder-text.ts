/**
 * `tokenizer.json` and `tokenizer_config.json` of a folder as the metadata that a GGUF file has for the same tokenizer.
 * Byte-level merges with a known rule for words are mapped, and pieces of SentencePiece with merges or scores; anything
 * else that could cut a text differently is refused, because the ids are part of what a model commits to.
 *
 * The layout is that of Hugging Face tokenizers; rule names are those of `tokenizer.ggml.pre`.
 */
import type { GgufMetadata, GgufValue } from '../gguf/metadata.js';
import { isPieceModel, pieceScores, type SpacePrefix, spacePrefix } from './folder-pieces.js';
import {
  charsmapOf,
  readPieces,
  unigramScores,
  unigramSpaces,
  unknownId as unknownPieceId,
} from './folder-unigram.js';
import { CONFIG_BYTES_MAX, TOKENIZER_BYTES_MAX, VOCABULARY_SIZE_MAX } from './limits.js';
import type { ModelFolder } from './load-folder.js';
import { isObject, type JsonObject, readObject } from './parse-json.js';
import { badTokenizer, unsupportedTokenizer } from './tokenizer-refusal.js';

/** GGUF's numbers for kinds of entry. */
const ENTRY = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

const BYTE_PIECE = /^<0x[0-9A-F]{2}>$/;

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const modernWords = (digits: string): string =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}` +
  '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** Steps of a pre-tokenizer, in order, and the name of the rule that they make. */
const WORD_RULES: ReadonlyMap<string, string> = new Map([
  ['words', 'gpt-2'],
  ['digits, words', 'smollm'],
  [`split ${modernWords('\\p{N}')}, bytes`, 'qwen2'],
  [`split ${modernWords('\\p{N}{1,3}')}, bytes`, 'smaug-bpe'],
  [`split ${modernWords('\\p{N}{1,3}')}, bytes, words whole`, 'llama-bpe'],
]);

/** Rules whose published tokenizers bring text to NFC before, which GGUF files of them do not say and nobody does. */
const NORMALISED_RULES: ReadonlySet<string> = new Set(['qwen2']);

/**
 * Metadata under `tokenizer.`; empty if the folder has no `tokenizer.json`.
 *
 * @example
 * exportGguf({ model: loadSafetensorsFolder(folder).model, metadata: readFolderText(folder) });
 */
export function readFolderText(folder: ModelFolder): GgufMetadata {
  const json = optionalObject(folder, 'tokenizer.json', TOKENIZER_BYTES_MAX);
  if (json === undefined) return new Map();
  const names = optionalObject(folder, 'tokenizer_config.json', TOKENIZER_BYTES_MAX) ?? {};
  const size = optionalObject(folder, 'config.json', CONFIG_BYTES_MAX)?.vocab_size;
  const model = checkModel(json);
  const placed = readEntries(model, json.added_tokens, size);
  const template = names.chat_template;
  if (Array.isArray(template))
    throw unsupportedTokenizer('several chat templates', template.length);
  const metadata = new Map<string, GgufValue>();
  const set: Setter = (key, value) => metadata.set(`tokenizer.${key}`, value);
  if (model.type === 'Unigram') setUnigram(set, { json, model, placed });
  else if (isPieceModel(model)) setPieces(set, { json, model, placed });
  else setWords(set, { json, model, placed });
  const setId = (key: string, token: unknown) => {
    const text = tokenText(token);
    const value = text === undefined ? -1 : placed.entries.indexOf(text);
    if (value >= 0) set(`ggml.${key}_token_id`, { type: 'uint32', value });
  };
  setId('bos', names.bos_token);
  setId('eos', names.eos_token);
  const value = addsBos(json.post_processor, names);
  set('ggml.add_bos_token', { type: 'bool', value });
  if (typeof template === 'string') set('chat_template', { type: 'string', value: template });
  return metadata;
}

type Setter = (key: string, value: GgufValue) => void;

type Placed = { readonly entries: readonly string[]; readonly types: Int32Array };

type Parts = { readonly json: JsonObject; readonly model: JsonObject; readonly placed: Placed };

/** Byte-level merges: words by a named rule, merges by rank. */
function setWords(set: Setter, { json, model, placed }: Parts): void {
  set('ggml.model', { type: 'string', value: 'gpt2' });
  set('ggml.pre', { type: 'string', value: wordRule(json, model) });
  set('ggml.tokens', { type: 'array', element: 'string', value: placed.entries });
  set('ggml.token_type', { type: 'array', element: 'int32', value: placed.types });
  set('ggml.merges', { type: 'array', element: 'string', value: readMerges(model) });
}

/** Pieces of SentencePiece: merges as scores, bytes for the rest, a rule for the space before a text. */
function setPieces(set: Setter, { json, model, placed }: Parts): void {
  const { entries } = placed;
  if (model.ignore_merges === true) throw unsupportedTokenizer('ignore_merges', true);
  const unknownId = typeof model.unk_token === 'string' ? entries.indexOf(model.unk_token) : -1;
  const types = pieceTypes(placed, { unknownId, hasBytes: true });
  const pieces = new Map<string, number>();
  entries.forEach((entry, id) => {
    if (types[id] === ENTRY.normal) pieces.set(entry, id);
  });
  const prefix = spacePrefix(json, [...pieces.keys()]);
  checkBytes(types);
  const scores = pieceScores({ count: entries.length, pieces, merges: readMerges(model) });
  setEntries(set, { kind: 'llama', entries, types, prefix });
  set('ggml.scores', { type: 'array', element: 'float32', value: scores });
  if (unknownId >= 0) set('ggml.unknown_token_id', { type: 'uint32', value: unknownId });
}

/** Pieces with scores, of which the best sum is taken; bytes for the rest, or one unknown piece. */
function setUnigram(set: Setter, { json, model, placed }: Parts): void {
  const { entries } = placed;
  const unknownId = unknownPieceId(model, entries.length);
  const hasBytes = model.byte_fallback === true;
  if (unknownId === undefined && !hasBytes) {
    throw badTokenizer('It has no piece for characters that it does not know.');
  }
  const types = pieceTypes(placed, { unknownId, hasBytes });
  const isNormal = Array.from(types, (type) => type === ENTRY.normal);
  const { prefix, rule } = unigramSpaces(
    json,
    entries.filter((_, id) => isNormal[id]),
  );
  if (hasBytes) checkBytes(types);
  setEntries(set, { kind: 't5', entries, types, prefix });
  const isUnused = Array.from(types, (type) => type === ENTRY.unused);
  const pieces = readPieces(model);
  for (const [key, value] of unigramScores({ pieces, isNormal, isUnused })) set(key, value);
  if (unknownId !== undefined) set('ggml.unknown_token_id', { type: 'uint32', value: unknownId });
  set('ggml.remove_extra_whitespaces', { type: 'bool', value: rule !== 'kept' });
  if (rule !== 'kept') set('assay.space_rule', { type: 'string', value: rule });
  const value = charsmapOf(json);
  if (value === undefined) return;
  set('ggml.precompiled_charsmap', { type: 'array', element: 'uint8', value });
}

/** Types of pieces: as placed, but for the unknown one and, if there are any, those of bytes. */
function pieceTypes(
  { entries, types }: Placed,
  options: { readonly unknownId: number | undefined; readonly hasBytes: boolean },
): Int32Array {
  return types.map((type, id) => {
    if (id === options.unknownId) return ENTRY.unknown;
    const isByte = options.hasBytes && type === ENTRY.normal && BYTE_PIECE.test(entries[id]!);
    return isByte ? ENTRY.byte : type;
  });
}

function checkBytes(types: Int32Array): void {
  const byteCount = types.filter((type) => type === ENTRY.byte).length;
  if (byteCount !== 256) throw badTokenizer('It needs a piece for every byte.', byteCount);
}

/** What both kinds of pieces say alike. */
function setEntries(
  set: Setter,
  options: {
    readonly kind: string;
    readonly entries: readonly string[];
    readonly types: Int32Array;
    readonly prefix: SpacePrefix;
  },
): void {
  const { kind, entries, types, prefix } = options;
  set('ggml.model', { type: 'string', value: kind });
  set('ggml.pre', { type: 'string', value: 'default' });
  set('ggml.tokens', { type: 'array', element: 'string', value: entries });
  set('ggml.token_type', { type: 'array', element: 'int32', value: types });
  set('ggml.add_space_prefix', { type: 'bool', value: prefix !== 'never' });
  if (prefix === 'missing' || prefix === 'first') {
    set('assay.space_prefix', { type: 'string', value: prefix });
  }
}

/** The model of merges or of scores, if it is plain. */
function checkModel({ model, truncation, padding }: JsonObject): JsonObject {
  if (!isObject(model)) throw badTokenizer('It has no model.');
  if (model.type !== 'BPE' && model.type !== 'Unigram') {
    throw unsupportedTokenizer('the model', model.type);
  }
  for (const [name, value] of Object.entries({
    dropout: model.dropout,
    continuing_subword_prefix: model.continuing_subword_prefix,
    end_of_word_suffix: model.end_of_word_suffix,
    truncation,
    padding,
  })) {
    if (value !== undefined && value !== null && value !== false && value !== '') {
      throw unsupportedTokenizer(name, value);
    }
  }
  return model;
}

function wordRule(json: JsonObject, model: JsonObject): string {
  const whole = model.ignore_merges === true ? ['words whole'] : [];
  const steps = [...stepsOf(json.pre_tokenizer).map(describeStep), ...whole].join(', ');
  const rule = WORD_RULES.get(steps);
  if (rule === undefined) throw unsupportedTokenizer('the rule for words', steps);
  const { normalizer } = json;
  const isPlain = normalizer === undefined || normalizer === null;
  const isComposed = isObject(normalizer) && normalizer.type === 'NFC';
  if (!isPlain && !(isComposed && NORMALISED_RULES.has(rule))) {
    throw unsupportedTokenizer('normalizer', JSON.stringify(normalizer));
  }
  return rule;
}

function stepsOf(step: unknown): readonly unknown[] {
  const isSequence = isObject(step) && step.type === 'Sequence';
  return isSequence && Array.isArray(step.pretokenizers) ? step.pretokenizers : [step];
}

/** A step in the words of {@link WORD_RULES}. */
function describeStep(step: unknown): string {
  if (!isObject(step)) return 'nothing';
  const { type, pattern } = step;
  if (type === 'ByteLevel' && step.add_prefix_space === false) {
    return step.use_regex === false ? 'bytes' : 'words';
  }
  if (type === 'Digits' && step.individual_digits === true) return 'digits';
  const isPlain = step.behavior === 'Isolated' && step.invert !== true;
  if (type === 'Split' && isPlain && isObject(pattern)) return `split ${pattern.Regex}`;
  return JSON.stringify(step);
}

type Entry = { readonly text: string; readonly id: unknown; readonly type: number };

/** Entries by id with their types: the vocabulary, the added tokens over it, and names for ids without any. */
function readEntries(model: JsonObject, added: unknown, size: unknown): Placed {
  const count = checkSize(size);
  const entries: (string | undefined)[] = new Array(count).fill(undefined);
  const types = new Int32Array(count).fill(ENTRY.unused);
  const place = ({ text, id, type }: Entry) => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= count) {
      throw badTokenizer('An entry has an id outside of the vocabulary.', text);
    }
    if ((entries[id] ?? text) !== text) throw badTokenizer('Two entries have one id.', id);
    entries[id] = text;
    types[id] = type;
  };
  for (const [text, id] of idsByText(model)) place({ text, id, type: ENTRY.normal });
  for (const token of Array.isArray(added) ? added : []) place(addedToken(token));
  return { entries: entries.map((text, id) => text ?? `[PAD${id}]`), types };
}

/** The model's own entries: an object, or a list in the order of ids. */
function idsByText(model: JsonObject): readonly (readonly [string, unknown])[] {
  if (model.type === 'Unigram') return readPieces(model).map(({ text }, id) => [text, id]);
  if (isObject(model.vocab)) return Object.entries(model.vocab);
  throw badTokenizer('It has no vocabulary.');
}

/** An added token that stands for exactly its own text. */
function addedToken(token: unknown): Entry {
  if (!isObject(token) || typeof token.content !== 'string')
    throw badTokenizer('An added token is no text.');
  for (const name of ['lstrip', 'rstrip', 'single_word']) {
    if (token[name] === true)
      throw unsupportedTokenizer(`${name} of an added token`, token.content);
  }
  const type = token.special === true ? ENTRY.control : ENTRY.userDefined;
  return { text: token.content, id: token.id, type };
}

function checkSize(size: unknown): number {
  if (Number.isInteger(size) && (size as number) > 0 && (size as number) <= VOCABULARY_SIZE_MAX) {
    return size as number;
  }
  throw badTokenizer(`config.json must state a vocab_size from 1 to ${VOCABULARY_SIZE_MAX}.`, size);
}

/** `left right` by rank; newer files hold pairs. */
function readMerges({ merges }: JsonObject): readonly string[] {
  if (!Array.isArray(merges)) throw badTokenizer('It has no merges.');
  return merges.map((merge: unknown) => {
    const text = Array.isArray(merge) && merge.length === 2 ? merge.join(' ') : merge;
    if (typeof text === 'string' && /^[^ ]+ [^ ]+$/.test(text)) return text;
    throw badTokenizer('A merge is not a pair of entries.', text);
  });
}

/** Whether plain text begins with the first token: what the post-processor does, else what the names say. */
function addsBos(processor: unknown, names: JsonObject): boolean {
  const inner = isObject(processor) && Array.isArray(processor.processors);
  const steps = inner ? (processor.processors as readonly unknown[]) : [processor];
  const template = steps.find((step) => isObject(step) && step.type === 'TemplateProcessing');
  if (!isObject(template)) return names.add_bos_token === true;
  const pieces = (Array.isArray(template.single) ? template.single : []).map(pieceText);
  const bos = tokenText(names.bos_token);
  if (pieces.length === 1 && pieces[0] === undefined) return false;
  if (pieces.length === 2 && pieces[0] === bos && pieces[1] === undefined) return true;
  throw unsupportedTokenizer('post_processor', JSON.stringify(pieces));
}

/** Text of the special token that a template piece adds; undefined for the text itself. */
function pieceText(piece: unknown): string | undefined {
  const token = isObject(piece) && isObject(piece.SpecialToken) ? piece.SpecialToken.id : undefined;
  return token === undefined ? undefined : String(token);
}

/** A token in `tokenizer_config.json`: its text, or an object with it. */
function tokenText(token: unknown): string | undefined {
  const text = isObject(token) ? token.content : token;
  return typeof text === 'string' ? text : undefined;
}

function optionalObject(folder: ModelFolder, name: string, bytesMax: number) {
  const source = folder.open(name);
  const code = 'safetensors_bad_tokenizer';
  return source && readObject(source, { what: name, code, bytesMax });
}
