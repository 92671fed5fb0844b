/** The two ways in which a folder's tokenizer is refused: it contradicts itself, or it cannot be mapped. */
import { safetensorsError } from './safetensors-error.js';

export const badTokenizer = (message: string, value?: unknown) =>
  safetensorsError({
    code: 'safetensors_bad_tokenizer',
    message: `The tokenizer is refused. ${message}`,
    value,
  });

export const unsupportedTokenizer = (what: string, value: unknown) =>
  safetensorsError({
    code: 'safetensors_unsupported_tokenizer',
    message: `The tokenizer cannot be mapped because of ${what}.`,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    remedy: 'Take the tokenizer from a GGUF file of the same model.',
  });
