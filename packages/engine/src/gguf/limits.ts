/** Limits of the GGUF reader. A file that breaks one is refused with a named error before anything is allocated. */

/** Metadata entries; files in the wild have fewer than 100. */
export const METADATA_COUNT_MAX = 65_536;

/** Tensors; a 126-layer model has 1,200, a mixture of experts with unstacked tensors some tens of thousands. */
export const TENSOR_COUNT_MAX = 65_536;

/** Bytes of a metadata key; the format allows 65,535 but no real key passes 100. */
export const KEY_BYTES_MAX = 1_024;

/** Bytes of a tensor name, as the format sets it. */
export const TENSOR_NAME_BYTES_MAX = 64;

/** Bytes of one string value; whole tokenizer files of 17 MB are stored in some models. */
export const STRING_BYTES_MAX = 67_108_864;

/** Elements of one array: 64 times the largest vocabulary in use. */
export const ARRAY_COUNT_MAX = 16_777_216;

/** Array inside array; no real file nests at all. */
export const ARRAY_DEPTH_MAX = 4;

/** Nested arrays in a whole file: each costs a JavaScript object for 12 bytes of file. */
export const NESTED_ARRAY_COUNT_MAX = 65_536;

/** Header, metadata and tensor table together: bounds the memory of a hostile file of any size. */
export const HEADER_BYTES_MAX = 268_435_456;

/** Dimensions of a tensor, as the format sets it. */
export const DIMENSION_COUNT_MAX = 4;

/** Length of one dimension: an index must fit an int32 in every backend. */
export const DIMENSION_MAX = 2_147_483_647;

/** Elements of one tensor: 2^40 is 60 times the largest matrix known. */
export const ELEMENT_COUNT_MAX = 1_099_511_627_776;

/** Alignment of tensor data: a page is useful, more only wastes bytes. */
export const ALIGNMENT_MAX = 65_536;

/** Parts of one model: the number of a part is a uint16, but each is a file that somebody must hold open. */
export const PART_COUNT_MAX = 1_024;
