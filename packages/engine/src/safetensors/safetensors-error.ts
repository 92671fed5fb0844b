/** The one way in which a safetensors folder is refused: a stable code, a sentence, the offending value, what to do. */
import { EngineError } from '../engine-error.js';
import { printShort } from '../gguf/gguf-error.js';

/** Every reason for which a safetensors file or its folder is refused. */
export type SafetensorsErrorCode =
  | 'safetensors_bad_config'
  | 'safetensors_bad_header'
  | 'safetensors_bad_index'
  | 'safetensors_bad_offsets'
  | 'safetensors_bad_shape'
  | 'safetensors_bad_tokenizer'
  | 'safetensors_count_absurd'
  | 'safetensors_duplicate_tensor'
  | 'safetensors_header_too_long'
  | 'safetensors_hole'
  | 'safetensors_missing_file'
  | 'safetensors_missing_tensor'
  | 'safetensors_not_finite'
  | 'safetensors_tensor_overlap'
  | 'safetensors_truncated'
  | 'safetensors_unsupported_model'
  | 'safetensors_unsupported_tokenizer'
  | 'safetensors_unsupported_type';

/** Builds the error for a file or folder that is refused. */
export function safetensorsError(options: {
  readonly code: SafetensorsErrorCode;
  readonly message: string;
  readonly value?: unknown;
  readonly remedy?: string;
}): EngineError {
  return new EngineError({
    code: options.code,
    message: options.message,
    fault: 'user',
    value: options.value === undefined ? undefined : printShort(String(options.value)),
    remedy: options.remedy ?? 'Download the folder again; compare hashes with the publisher’s.',
  });
}
