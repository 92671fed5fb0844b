/**
 * The tokenizer metadata of a GGUF file, checked: entries, their types, merges or scores, and the special ids. It knows
 * what the file says and not how text is cut.
 */
import {
  type GgufMetadata,
  metadataCount,
  metadataFlag,
  metadataNumbers,
  metadataString,
  metadataStrings,
} from '@assay/engine';
import { modelError } from './errors.js';
import { MERGE_COUNT_MAX, VOCABULARY_SIZE_MAX } from './limits.js';

/** Kinds of entry, with ggml's numbers. */
export const ENTRY_TYPE = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** How a vocabulary cuts text: merges by rank over bytes, merges by score over characters, or the best sum of scores. */
export type VocabularyKind = 'gpt2' | 'llama' | 't5';

/** Everything about text that a model file states. */
export type Vocabulary = {
  readonly kind: VocabularyKind;
  /** Name of the rule that cuts text into words; empty where the file names none. */
  readonly wordRule: string;
  /** Entry by id, in the notation of the kind. */
  readonly entries: readonly string[];
  /** {@link ENTRY_TYPE} by id. */
  readonly types: Uint8Array;
  /** `left right` by rank; empty but for `gpt2`. */
  readonly merges: readonly string[];
  /** By id; empty for `gpt2`. Doubles only in `t5`, where a folder has scores that no float32 holds. */
  readonly scores: Float32Array | Float64Array;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly unknownId: number | undefined;
  /** Every id after which an answer is over, ascending. */
  readonly endIds: readonly number[];
  /** Whether plain text, without a template, begins with {@link bosId}. */
  readonly addsBos: boolean;
  /** When a text is preceded by a space before it is cut (other than `never` in `llama` and `t5` only). */
  readonly spacePrefix: SpacePrefix;
  /** What is done about other spaces (`kept` but in `t5`). */
  readonly spaceRule: SpaceRule;
  /** SentencePiece's table of characters to replace; empty but in `t5`, and there if it has none. */
  readonly charsmap: Uint8Array;
};

/**
 * Before which stretches of text between special entries a space is put: none; each; each that does not begin with one;
 * the same, but only where the whole text begins. The place in this list is what an identity hashes.
 */
export const SPACE_PREFIXES = ['never', 'each', 'missing', 'first'] as const;

export type SpacePrefix = (typeof SPACE_PREFIXES)[number];

/**
 * What is done about other spaces: they stay; runs become one and both ends lose theirs (`remove_extra_whitespaces` of
 * SentencePiece); only runs become one; the end loses its white space, too; or every word between white space stands
 * after one space. The place in this list is what an identity hashes.
 */
export const SPACE_RULES = ['kept', 'trimmed', 'merged', 'stripped', 'words'] as const;

export type SpaceRule = (typeof SPACE_RULES)[number];

/** Control entries that end a turn in well-known families, whose files name only one of them. */
const END_ENTRIES: ReadonlySet<string> = new Set([
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<|end_of_text|>',
  '<|endoftext|>',
  '<end_of_turn>',
  '</s>',
]);

const PREFIX = 'tokenizer.ggml.';

/** Reads and checks the vocabulary. */
export function readVocabulary(metadata: GgufMetadata): Vocabulary {
  const kind = readKind(metadata);
  const entries = readEntries(metadata);
  const types = readTypes(metadata, entries.length);
  const id = (key: string) => readId(metadata, key, entries.length);
  const bosId = id('bos_token_id');
  const eosId = id('eos_token_id');
  const endIds = new Set([eosId, id('eot_token_id'), id('eom_token_id')]);
  // Some files mark no types: an id that ends or begins texts must never be cut out of a user's text.
  for (const index of [bosId, ...endIds]) {
    if (index !== undefined) types[index] = ENTRY_TYPE.control;
  }
  entries.forEach((entry, index) => {
    if (types[index] === ENTRY_TYPE.control && END_ENTRIES.has(entry)) endIds.add(index);
  });
  const isLlama = kind === 'llama';
  const isUnigram = kind === 't5';
  const wordRule = metadataString(metadata, `${PREFIX}pre`) ?? '';
  return {
    kind,
    wordRule,
    entries,
    types,
    merges: kind === 'gpt2' ? readMerges(metadata) : [],
    scores: kind === 'gpt2' ? new Float32Array(0) : readScores(metadata, entries.length, kind),
    bosId,
    eosId,
    unknownId: id('unknown_token_id'),
    endIds: [...endIds].filter((end) => end !== undefined).sort((a, b) => a - b),
    addsBos:
      metadataFlag(metadata, `${PREFIX}add_bos_token`) ?? (isLlama || wordRule === 'llama-bpe'),
    spacePrefix: readSpacePrefix(metadata, isLlama),
    spaceRule: isUnigram ? readSpaceRule(metadata) : 'kept',
    charsmap: isUnigram ? readCharsmap(metadata) : new Uint8Array(0),
  };
}

/** GGUF knows whether, not when; what folders say beyond that has a key of this program. */
function readSpacePrefix(metadata: GgufMetadata, isLlama: boolean): SpacePrefix {
  const adds = metadataFlag(metadata, `${PREFIX}add_space_prefix`) ?? isLlama;
  const when = metadataString(metadata, 'tokenizer.assay.space_prefix') ?? 'each';
  const prefix = SPACE_PREFIXES.find((name) => name === when);
  if (prefix !== undefined) return adds ? prefix : 'never';
  throw unknownRule('The rule for the space before a text is not known.', when);
}

/** GGUF knows SentencePiece's rule or none; what folders have in its place has a key of this program. */
function readSpaceRule(metadata: GgufMetadata): SpaceRule {
  if (metadataFlag(metadata, `${PREFIX}remove_extra_whitespaces`) !== true) return 'kept';
  const name = metadataString(metadata, 'tokenizer.assay.space_rule') ?? 'trimmed';
  const rule = SPACE_RULES.find((known) => known === name);
  if (rule !== undefined) return rule;
  throw unknownRule('The rule for spaces in a text is not known.', name);
}

/** Bytes, which some files state as signed. */
function readCharsmap(metadata: GgufMetadata): Uint8Array {
  const key = `${PREFIX}precompiled_charsmap`;
  const bytes = metadataNumbers(metadata, key) ?? new Uint8Array(0);
  if (bytes instanceof Uint8Array || bytes instanceof Int8Array) return Uint8Array.from(bytes);
  throw invalid(`${key} is no list of bytes.`, bytes.constructor.name);
}

function readKind(metadata: GgufMetadata): VocabularyKind {
  const kind = metadataString(metadata, `${PREFIX}model`);
  if (kind === 'gpt2' || kind === 'llama' || kind === 't5') return kind;
  throw modelError({
    code: kind === undefined ? 'tokenizer_invalid' : 'tokenizer_unsupported',
    message: `The tokenizer model ${kind ?? '(none)'} is not supported.`,
    value: kind,
  });
}

function readEntries(metadata: GgufMetadata): readonly string[] {
  const entries = metadataStrings(metadata, `${PREFIX}tokens`) ?? [];
  if (entries.length === 0 || entries.length > VOCABULARY_SIZE_MAX) {
    throw invalid(`A vocabulary needs 1 to ${VOCABULARY_SIZE_MAX} entries.`, entries.length);
  }
  const seen = new Set<string>();
  for (const entry of entries) {
    if (seen.has(entry)) throw invalid('An entry appears twice in the vocabulary.', entry);
    seen.add(entry);
  }
  return entries;
}

function readTypes(metadata: GgufMetadata, count: number): Uint8Array {
  const types = metadataNumbers(metadata, `${PREFIX}token_type`);
  if (types === undefined) return new Uint8Array(count).fill(ENTRY_TYPE.normal);
  if (types.length !== count) throw invalid('There is not one type per entry.', types.length);
  const bad = types.findIndex((type) => !Number.isInteger(type) || type < 1 || type > 6);
  if (bad >= 0) throw invalid(`Entry ${bad} has an unknown type.`, types[bad]);
  return Uint8Array.from(types);
}

function readMerges(metadata: GgufMetadata): readonly string[] {
  const merges = metadataStrings(metadata, `${PREFIX}merges`) ?? [];
  if (merges.length > MERGE_COUNT_MAX) throw invalid('There are too many merges.', merges.length);
  return merges;
}

function readScores(
  metadata: GgufMetadata,
  count: number,
  kind: VocabularyKind,
): Float32Array | Float64Array {
  const scores = metadataNumbers(metadata, `${PREFIX}scores`);
  if (scores?.length !== count) throw invalid('There is not one score per entry.', scores?.length);
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) throw invalid(`The score of entry ${bad} is not finite.`, scores[bad]);
  const rounded = Float32Array.from(scores);
  const exact = kind === 't5' ? metadataNumbers(metadata, 'tokenizer.assay.scores') : undefined;
  if (exact === undefined) return rounded;
  const fits = exact.length === count && exact.every((x, id) => Math.fround(x) === rounded[id]);
  if (!fits)
    throw invalid('tokenizer.assay.scores are not the scores of the entries.', exact.length);
  return Float64Array.from(exact);
}

function readId(metadata: GgufMetadata, key: string, count: number): number | undefined {
  const id = metadataCount(metadata, `${PREFIX}${key}`);
  if (id !== undefined && id >= count) throw invalid(`${key} is outside the vocabulary.`, id);
  return id;
}

const unknownRule = (message: string, value: string) =>
  modelError({ code: 'tokenizer_unsupported', message, value });

const invalid = (message: string, value: unknown) =>
  modelError({ code: 'tokenizer_invalid', message, value });
