/**
 * A model cut into several GGUF files, read as one. Each part states its number and how many there are; the metadata
 * of the model is that of part 0. Names of files mean nothing here: parts may be given in any order.
 *
 * The keys are those of llama.cpp's gguf-split.
 */
import { ggufError } from './gguf-error.js';
import { PART_COUNT_MAX } from './limits.js';
import { metadataCount, required } from './metadata.js';
import { type GgufFile, type GgufTensor, readGguf } from './read-gguf.js';
import { type ByteSource, joinSources } from './source.js';

const NUMBER_KEY = 'split.no';
const COUNT_KEY = 'split.count';
const TENSORS_KEY = 'split.tensors.count';

/**
 * Checks every part and joins them. One file that was never cut is a model of one part.
 *
 * @example
 * const { model } = loadGgufFile(readGgufParts([bytesSource(first), bytesSource(second)]));
 */
export function readGgufParts(sources: readonly ByteSource[]): GgufFile {
  if (sources.length > PART_COUNT_MAX) throw tooMany(sources.length);
  const files = sources.map(readGguf);
  const [only] = files;
  if (only === undefined) throw missing('Not one part was given.', 0);
  if (files.length === 1 && !only.metadata.has(COUNT_KEY)) return only;
  return joinParts(inOrder(files));
}

/** Refuses one part alone, whose tensors would seem to be missing one by one. */
export function refusePart(file: GgufFile): void {
  const count = metadataCount(file.metadata, COUNT_KEY) ?? 1;
  if (count > 1) throw missing(`The file is one of ${count} parts of a model.`, count);
}

/** Parts by their number: each exactly once. */
function inOrder(files: readonly GgufFile[]): readonly GgufFile[] {
  const count = partCount(files);
  const ordered = new Map<number, GgufFile>();
  for (const file of files) {
    const number = required(NUMBER_KEY, metadataCount(file.metadata, NUMBER_KEY));
    if (number >= count) throw mismatch(`A part has the number ${number} of ${count}.`, number);
    if (ordered.has(number)) throw mismatch(`Part ${number} was given twice.`, number);
    ordered.set(number, file);
  }
  if (count > files.length) {
    const absent = Array.from({ length: files.length + 1 }, (_, i) => i).find(
      (i) => !ordered.has(i),
    )!;
    throw missing(`Only ${files.length} of ${count} parts were given.`, absent);
  }
  return [...ordered].sort(([a], [b]) => a - b).map(([, file]) => file);
}

/** How many parts there are, on which all must agree. */
function partCount(files: readonly GgufFile[]): number {
  const counts = files.map(({ metadata }) =>
    required(COUNT_KEY, metadataCount(metadata, COUNT_KEY)),
  );
  const count = counts[0]!;
  const other = counts.find((each) => each !== count);
  if (other !== undefined) throw mismatch(`Parts state ${count} and ${other} parts.`, other);
  if (count < files.length) throw mismatch(`There are more parts than ${count}.`, files.length);
  return count;
}

function joinParts(files: readonly GgufFile[]): GgufFile {
  const first = files[0]!;
  const tensors = new Map<string, GgufTensor>();
  let start = 0;
  for (const file of files) {
    for (const tensor of file.tensors.values()) {
      if (tensors.has(tensor.name)) throw duplicate(tensor.name);
      tensors.set(tensor.name, { ...tensor, offset: start + tensor.offset });
    }
    start += file.source.size;
  }
  const stated = metadataCount(first.metadata, TENSORS_KEY) ?? tensors.size;
  if (stated !== tensors.size) {
    throw mismatch(`The parts hold ${tensors.size} tensors, not ${stated}.`, tensors.size);
  }
  const metadata = new Map([...first.metadata].filter(([key]) => !key.startsWith('split.')));
  return { ...first, metadata, tensors, source: joinSources(files.map(({ source }) => source)) };
}

const missing = (message: string, value: number) =>
  ggufError({
    code: 'gguf_split_missing',
    message,
    value,
    remedy: 'Open all parts of the model together.',
  });

const mismatch = (message: string, value: number) =>
  ggufError({
    code: 'gguf_split_mismatch',
    message,
    value,
    remedy: 'Give the parts of one model, each once.',
  });

const duplicate = (name: string) =>
  ggufError({
    code: 'gguf_duplicate_tensor',
    message: 'A tensor name appears in two parts.',
    value: name,
  });

const tooMany = (value: number) =>
  ggufError({
    code: 'gguf_count_absurd',
    message: `At most ${PART_COUNT_MAX} parts are accepted.`,
    value,
  });
