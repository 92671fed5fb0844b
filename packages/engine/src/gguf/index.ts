export { encodeTensor, type WritableType } from './encode-tensor.js';
export { type ExportedGguf, exportGguf } from './export-gguf.js';
export type { GgufErrorCode } from './gguf-error.js';
export {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from './half.js';
export {
  GGUF_ARCHITECTURES,
  ggufConfig,
  type LoadedGguf,
  loadGgufFile,
  loadGgufModel,
} from './load-model.js';
export {
  type GgufArray,
  type GgufMetadata,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
  metadataCount,
  metadataFlag,
  metadataNumber,
  metadataNumbers,
  metadataString,
  metadataStrings,
  required as requiredMetadata,
} from './metadata.js';
export { type GgufFile, type GgufTensor, readGguf, readTensor } from './read-gguf.js';
export { readGgufParts } from './read-parts.js';
export { type ByteSource, bytesSource, joinSources } from './source.js';
export { TENSOR_TYPES, type TensorType, type TensorValues } from './tensor-types.js';
export { type TensorToWrite, writeGguf } from './write-gguf.js';
