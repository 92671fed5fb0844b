/** Limits of text and templates: both come from strangers, and both run on the gateway. */

/** UTF-16 units of one text to encode: eight for each of the 131,072 tokens of the longest job. */
export const TEXT_LENGTH_MAX = 1_048_576;

/** UTF-16 units of a text whose ids are remembered, and of all such texts of one tokenizer; an id per unit at most. */
export const CUT_CACHE_TEXT_LENGTH_MAX = 8_192;
export const CUT_CACHE_LENGTH_MAX = 1_048_576;

/** Messages of one conversation; each is a loop step of the template. */
export const MESSAGE_COUNT_MAX = 4_096;

/** UTF-16 units of a template; the longest in use, with tool calling, has 12,000. */
export const TEMPLATE_LENGTH_MAX = 65_536;

/** What one rendering may cost: 131,072 steps, each of one or two microseconds, or as much in texts and lists. */
export const TEMPLATE_COST_MAX = 33_554_432;

/** Cost of evaluating one node of a template, or of one turn of a loop. */
export const TEMPLATE_STEP_COST = 256;

/** UTF-16 units of text that cost 1: they are only linked, and copied once at the end. */
export const TEMPLATE_COST_TEXT_LENGTH = 4;

/** Cost of an element of a list that is copied or looked at. */
export const TEMPLATE_ELEMENT_COST = 8;

/** Elements of any one list in a template: a loop keeps about a kilobyte for each. */
export const TEMPLATE_LIST_MAX = 65_536;

/** UTF-16 units of any one value in a template, lists counted with what they hold: four times the longest text. */
export const TEMPLATE_VALUE_MAX = 4 * TEXT_LENGTH_MAX;

/** Longest literal argument of a filter that repeats it (`replace`, `join`): bounds the growth in one step. */
export const TEMPLATE_FACTOR_MAX = 64;

/** Tokens of a vocabulary; the largest in use has 262,144. */
export const VOCABULARY_SIZE_MAX = 1_048_576;

/** Merges of a vocabulary: each adds at most one token, but exporters repeat some. */
export const MERGE_COUNT_MAX = 2_097_152;

/** UTF-16 units of a unigram piece: SentencePiece makes none above 16 unless told, and each is tried at each place. */
export const UNIGRAM_PIECE_LENGTH_MAX = 128;

/** Nodes of the tree of unigram pieces: sixteen for each of 262,144, before what they share; 18 bytes for each. */
export const UNIGRAM_NODES_MAX = 4_194_304;

/** Bytes of a table of characters; the one of NFKC has 240,007. */
export const CHARSMAP_BYTES_MAX = 1_048_576;

/** Bytes of one of its keys, plus one; the longest of NFKC has 12. A way that is longer may have no end. */
export const CHARSMAP_KEY_BYTES_MAX = 64;

/** Bytes of one of its replacements; the longest of NFKC has 33. */
export const CHARSMAP_VALUE_BYTES_MAX = 128;

/** Bytes of a grammar: as many as the controls of a job may have, with room for the rest of them. */
export const GRAMMAR_BYTES_MAX = 61_440;

/** Rules of a grammar; a schema of two hundred properties takes some thousand. */
export const GRAMMAR_RULES_MAX = 16_384;

/** Symbols of a grammar, all rules together: bounds the tables of its automaton. */
export const GRAMMAR_SYMBOLS_MAX = 61_440;

/** Counted repetitions of one part: each step takes a rule. */
export const GRAMMAR_REPEAT_MAX = 512;

/** Ways in which a text may be read at once; JSON needs a handful, a list of choices one for each. */
export const GRAMMAR_STACKS_MAX = 4_096;

/** States of one grammar's automaton, some hundred bytes each. */
export const GRAMMAR_STATES_MAX = 131_072;

/** Shortest text of a rule: as long as the longest answer, whose tokens have at least one byte each. */
export const GRAMMAR_TEXT_BYTES_MAX = 131_072;

/** Positions that an automaton looks at to find its states: an eighth of a second; 1,000 tokens of JSON take 4,000. */
export const GRAMMAR_STEPS_MAX = 250_000;

/** UTF-16 units of a JSON schema, printed. */
export const SCHEMA_LENGTH_MAX = 65_536;

/** Masks kept per grammar, four bytes per id and state. */
export const GRAMMAR_MASKS_BYTES_MAX = 16_777_216;
