/** Refusals of this room: what is wrong with a model's tokenizer, template or text, and what to do about it. */
import { AssayError, printValue } from '@assay/protocol';

/** Every code of this room. */
export type ModelErrorCode =
  | 'chat_message_invalid'
  | 'chat_refused_by_template'
  | 'chat_template_failed'
  | 'chat_template_invalid'
  | 'chat_template_missing'
  | 'chat_template_too_costly'
  | 'chat_template_unsupported'
  | 'grammar_invalid'
  | 'grammar_too_complex'
  | 'grammar_too_large'
  | 'grammar_unfit'
  | 'grammar_violated'
  | 'model_file_inconsistent'
  | 'pattern_unsupported'
  | 'schema_unsupported'
  | 'text_too_long'
  | 'token_id_unknown'
  | 'tokenizer_invalid'
  | 'tokenizer_unsupported';

const REMEDIES: Readonly<Record<ModelErrorCode, string>> = {
  chat_message_invalid: 'Send messages with a role of system, user, assistant or tool, and text.',
  chat_refused_by_template: 'Change the order or the roles of the messages as the model expects.',
  chat_template_failed: 'Send token ids instead, or ask the publisher for a corrected template.',
  chat_template_invalid: 'Send token ids instead, or ask the publisher for a corrected template.',
  chat_template_missing: 'Send token ids instead, or convert the model with its chat template.',
  chat_template_too_costly: 'Send shorter messages, or ask the publisher for a simpler template.',
  chat_template_unsupported: 'Ask the publisher to write control tokens as whole literals.',
  grammar_invalid: 'Build grammars with this program; see docs/reference/grammar.md.',
  grammar_too_complex: 'Simplify the schema or the pattern: fewer alternatives that begin alike.',
  grammar_too_large: 'Shorten the schema or the pattern, or lower its counts.',
  grammar_unfit: 'Raise the number of tokens, or use a model whose vocabulary has every byte.',
  grammar_violated: 'Only tokens that the grammar allows may follow; the answer is not honest.',
  model_file_inconsistent: 'Convert the model again; its parts come from different models.',
  pattern_unsupported: 'Use literals, classes, groups, |, *, +, ? and {m,n}.',
  schema_unsupported: 'Leave this keyword out; docs/reference/grammar.md lists what is supported.',
  text_too_long: 'Shorten the text; it cannot fit in any context.',
  token_id_unknown: 'Use ids below the vocabulary size of this model.',
  tokenizer_invalid: 'Convert the model again with a current converter.',
  tokenizer_unsupported:
    'Use a model with a byte-level BPE, SentencePiece BPE or unigram tokenizer.',
};

/** Builds the error for `code`; its remedy is fixed by the code. */
export function modelError(options: {
  readonly code: ModelErrorCode;
  readonly message: string;
  readonly value?: unknown;
  readonly cause?: unknown;
}): AssayError {
  return new AssayError({
    code: options.code,
    message: options.message,
    fault: 'user',
    value: options.value === undefined ? undefined : printValue(options.value),
    remedy: REMEDIES[options.code],
    cause: options.cause,
  });
}
