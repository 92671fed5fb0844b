/** Limits of text and templates: both come from strangers, and both run on the gateway. */

/** UTF-16 units of one text to encode: eight for each of the 131,072 tokens of the longest job. */
export const TEXT_LENGTH_MAX = 1_048_576;

/** Messages of one conversation; each is a loop step of the template. */
export const MESSAGE_COUNT_MAX = 4_096;

/** UTF-16 units of a template; the longest in use, with tool calling, has 12,000. */
export const TEMPLATE_LENGTH_MAX = 65_536;

/** What one rendering may cost, in UTF-16 units handled plus {@link TEMPLATE_STEP_COST} per step: a second or so. */
export const TEMPLATE_COST_MAX = 134_217_728;

/** Cost of evaluating one node of a template, in the unit of {@link TEMPLATE_COST_MAX}. */
export const TEMPLATE_STEP_COST = 256;

/** Cost of an element of a list that is copied or looked at, in the unit of {@link TEMPLATE_COST_MAX}. */
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
