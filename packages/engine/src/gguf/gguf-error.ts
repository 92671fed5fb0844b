/** The one way in which a model file is refused: a stable code, a sentence, the offending value, what to do. */
import { EngineError } from '../engine-error.js';

/** Every reason for which a model file is refused. */
export type GgufErrorCode =
  | 'gguf_array_too_deep'
  | 'gguf_bad_alignment'
  | 'gguf_bad_magic'
  | 'gguf_bad_metadata'
  | 'gguf_bad_shape'
  | 'gguf_bad_utf8'
  | 'gguf_bad_value_type'
  | 'gguf_count_absurd'
  | 'gguf_dims_absurd'
  | 'gguf_duplicate_key'
  | 'gguf_duplicate_tensor'
  | 'gguf_missing_metadata'
  | 'gguf_missing_tensor'
  | 'gguf_nan_scale'
  | 'gguf_not_expressible'
  | 'gguf_not_finite'
  | 'gguf_scale_too_large'
  | 'gguf_split_mismatch'
  | 'gguf_split_missing'
  | 'gguf_string_too_long'
  | 'gguf_tensor_misaligned'
  | 'gguf_tensor_out_of_file'
  | 'gguf_tensor_overlap'
  | 'gguf_truncated'
  | 'gguf_unsupported_architecture'
  | 'gguf_unsupported_type'
  | 'gguf_unsupported_version';

const REMEDY = 'Download or convert the file again; compare its hash with the publisher’s.';

/** Options of {@link ggufError}. */
export type GgufErrorOptions = {
  readonly code: GgufErrorCode;
  readonly message: string;
  readonly value?: string | number | bigint | undefined;
  readonly remedy?: string;
};

/** Builds the error for a file that is refused. */
export function ggufError(options: GgufErrorOptions): EngineError {
  return new EngineError({
    code: options.code,
    message: options.message,
    fault: 'user',
    value: options.value === undefined ? undefined : printShort(String(options.value)),
    remedy: options.remedy ?? REMEDY,
  });
}

/** Names come from the file, so they are cut and their control characters replaced before they reach a log. */
export function printShort(text: string): string {
  const printable = text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '�');
  return printable.length <= 80 ? printable : `${printable.slice(0, 79)}…`;
}
