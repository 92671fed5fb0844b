export { type ExportedFolder, exportSafetensors } from './export-safetensors.js';
export { readFolderText } from './folder-text.js';
export { type LoadedFolder, loadSafetensorsFolder, type ModelFolder } from './load-folder.js';
export {
  readSafetensors,
  readSafetensorsValues,
  type SafetensorsFile,
  type SafetensorsTensor,
} from './read-safetensors.js';
export type { SafetensorsErrorCode } from './safetensors-error.js';
export {
  type SafetensorsToWrite,
  type SafetensorsType,
  writeSafetensors,
} from './write-safetensors.js';
