export {
  CHAT_ROLES,
  type Chat,
  type ChatMessage,
  type ChatRole,
  createChat,
  type RenderOptions,
} from './chat.js';
export type { ModelErrorCode } from './errors.js';
export * from './grammar/index.js';
export {
  hashTokenizer,
  MODEL_TYPE,
  MODEL_TYPEHASH,
  type ModelIdentity,
  type ModelParts,
  modelId,
  modelIdentity,
  textHashes,
} from './identity.js';
export {
  type ModelFile,
  type ModelInfo,
  openModelFile,
  openTokenizerOnly,
  type TextFile,
} from './model-file.js';
export type { TextPart } from './special-entries.js';
export { TINY_TEMPLATE, type TinyModelOptions, tinyModelFile } from './testing/tiny-model.js';
export {
  createTokenizer,
  type DecodeOptions,
  type DecodeStream,
  type EncodeOptions,
  encodePlainText,
  type Tokenizer,
} from './tokenizer.js';
export type { Vocabulary, VocabularyKind } from './vocabulary.js';
