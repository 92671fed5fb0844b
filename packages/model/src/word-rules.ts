/**
 * How byte-level vocabularies cut text into words before merging, by the name that a GGUF file gives the rule
 * (`tokenizer.ggml.pre`). Patterns are those of the model families' own published tokenizers; a word never merges with
 * its neighbour, so a wrong rule gives other ids, and an unknown name is refused.
 */
import { modelError } from './errors.js';

/** A rule: patterns applied one after the other, each cutting what the one before left. */
export type WordRule = {
  readonly patterns: readonly string[];
  /** Whether a word that is itself an entry is taken whole, without merging. */
  readonly wholeWords: boolean;
};

const CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d";
const ANY_CASE_CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const GPT2 = `${CONTRACTIONS}| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`;
const modern = (digits: string): string =>
  `${ANY_CASE_CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}` +
  `| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const WORD_RULES: ReadonlyMap<string, WordRule> = new Map([
  ['gpt-2', { patterns: [GPT2], wholeWords: false }],
  ['smollm', { patterns: ['\\p{N}', GPT2], wholeWords: false }],
  ['qwen2', { patterns: [modern('\\p{N}')], wholeWords: false }],
  ['deepseek-r1-qwen', { patterns: [modern('\\p{N}')], wholeWords: false }],
  ['llama-bpe', { patterns: [modern('\\p{N}{1,3}')], wholeWords: true }],
  // SmolLM3 and others that took Llama 3's words and merge all of them.
  ['smaug-bpe', { patterns: [modern('\\p{N}{1,3}')], wholeWords: false }],
]);

/** The rule with this name. */
export function wordRule(name: string): WordRule {
  const rule = WORD_RULES.get(name);
  if (rule !== undefined) return rule;
  throw modelError({
    code: 'tokenizer_unsupported',
    message: `The word rule ${name || '(none)'} of the tokenizer is not supported.`,
    value: name,
  });
}
