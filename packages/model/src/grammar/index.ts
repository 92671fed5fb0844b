export { jsonObjectGrammar, jsonSchemaGrammar } from './json-schema.js';
export { choiceGrammar, patternGrammar } from './pattern.js';
export {
  type OpenTokenMask,
  type TokenMask,
  type TokenMaskOptions,
  tokenMasks,
} from './token-mask.js';
