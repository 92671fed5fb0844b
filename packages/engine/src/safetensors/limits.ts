/** Limits of the safetensors reader. What breaks one is refused with a named error before it is parsed. */

/** Bytes of the header: 65,536 tensors with 256 bytes each. The format allows more, but parsed JSON takes tenfold. */
export const HEADER_BYTES_MAX = 16_777_216;

/** Bytes of `config.json`; real ones have about a thousand. */
export const CONFIG_BYTES_MAX = 1_048_576;

/** Bytes of the shard index: as many names as {@link TENSOR_COUNT_MAX}, with 128 bytes each. */
export const INDEX_BYTES_MAX = 8_388_608;

/** Tensors of one file or folder. */
export const TENSOR_COUNT_MAX = 65_536;

/** Dimensions of a tensor. */
export const DIMENSION_COUNT_MAX = 8;

/** Elements of one tensor: 2^40 is 60 times the largest matrix known. */
export const ELEMENT_COUNT_MAX = 1_099_511_627_776;

/** Files that one model is cut into. */
export const SHARD_COUNT_MAX = 1_024;

/** Bytes of `tokenizer.json`; the largest known has 34 MB. */
export const TOKENIZER_BYTES_MAX = 67_108_864;

/** Entries of a vocabulary: the limit of the arithmetic. */
export const VOCABULARY_SIZE_MAX = 1_048_576;
