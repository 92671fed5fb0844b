/**
 * Channels of about one size, so that 8-bit blocks serve all of their columns. A channel is an element of a row between
 * two layers of weights: what writes it may be multiplied by a number if the columns that read it are divided by it. A
 * column that is far smaller than its neighbours would lose its bits to their common scale, and one far larger would
 * take theirs. The numbers are powers of two, so nothing rounds and the model computes the same function; the rule
 * (docs/reference/conversion.md) is deterministic, because a model's id is that of the weights after it.
 */
import { familyOf } from './families.js';
import { type FloatSource, floatValues, type TensorRows } from './import-tensor.js';
import type { ModelConfig } from './model-config.js';
import { floorLog2, powerOfTwo } from './rounding.js';

/** Channels whose columns are within 2^2 of the middle one stay as they are. */
const BITS_MIN = 2;

/** Most bits that a channel is moved by: gains have 24 bits under one exponent, of which 14 are left. */
const BITS_MAX = 10;

/** Which weights write some channels, and which read them. */
type Channels = {
  readonly count: number;
  /** Vectors with an element per channel, or matrices with a row per channel. */
  readonly writers: readonly string[];
  /** Matrices with a column for each channel, or for several heads that share it. */
  readonly readers: readonly string[];
  readonly channelOf: (column: number) => number;
};

/** Powers of two by which rows are multiplied, and by which columns are. */
type Factors = { rows?: Float64Array; columns?: Float64Array };

type Sources = ReadonlyMap<string, TensorRows>;

/**
 * The same weights with their channels balanced, by the names that GGUF has for them. Where one of the matrices comes
 * in 8-bit blocks already, its channels stay: moving them could only lose bits. Each matrix is read once here.
 */
export function balanceChannels(config: ModelConfig, sources: Sources): Sources {
  const factors = new Map<string, Factors>();
  for (const channels of channelsOf(config)) {
    const { writers, readers } = channels;
    const found = [...writers, ...readers].map((name) => sources.get(name));
    if (!found.every((source) => source !== undefined && source.kind !== 'q8')) continue;
    const bits = channelBits(channels, (name) => scaled(sources.get(name)!, factors.get(name)));
    if (bits.every((n) => n === 0)) continue;
    for (const name of writers) {
      const raised = Float64Array.from(bits, powerOfTwo);
      const side = sources.get(name)!.rows === 1 ? 'columns' : 'rows';
      factors.set(name, { ...factors.get(name), [side]: raised });
    }
    for (const name of readers) {
      const columns = Float64Array.from({ length: sources.get(name)!.cols }, (_, column) =>
        powerOfTwo(-bits[channels.channelOf(column)]!),
      );
      factors.set(name, { ...factors.get(name), columns });
    }
  }
  return new Map([...sources].map(([name, source]) => [name, scaled(source, factors.get(name))]));
}

/** All channels of a model; those that change a matrix's rows come before those that look at its columns. */
function channelsOf(config: ModelConfig): Channels[] {
  const { layerCount, width, feedForwardWidth, headCount, kvHeadCount, headSize } = config;
  const itself = (column: number) => column;
  const shared = headCount / kvHeadCount;
  const valueChannel = (column: number) =>
    Math.floor(column / (shared * headSize)) * headSize + (column % headSize);
  const bias = familyOf(config.family).attentionBias ? ['attn_v.bias'] : [];
  const layers = Array.from({ length: layerCount }, (_, layer) => {
    const named = (names: readonly string[]) => names.map((name) => `blk.${layer}.${name}`);
    const channels = (
      count: number,
      writers: readonly string[],
      readers: readonly string[],
      channelOf = itself,
    ) => ({ count, writers: named(writers), readers: named(readers), channelOf });
    return [
      channels(feedForwardWidth, ['ffn_up.weight'], ['ffn_down.weight']),
      channels(
        kvHeadCount * headSize,
        ['attn_v.weight', ...bias],
        ['attn_output.weight'],
        valueChannel,
      ),
      channels(width, ['attn_norm.weight'], ['attn_q.weight', 'attn_k.weight', 'attn_v.weight']),
      channels(width, ['ffn_norm.weight'], ['ffn_gate.weight', 'ffn_up.weight']),
    ];
  });
  const last = {
    count: width,
    writers: ['output_norm.weight'],
    readers: ['output.weight'],
    channelOf: itself,
  };
  return [...layers.flat(), last];
}

/** Bits by which each channel's columns are above the middle ones, rounded towards zero. */
function channelBits(
  { count, readers, channelOf }: Channels,
  sourceOf: (name: string) => TensorRows,
): Int8Array {
  const sizes = new Float64Array(count);
  for (const name of readers) {
    const shares = columnShares(sourceOf(name));
    for (let column = 0; column < shares.length; column++) {
      sizes[channelOf(column)]! += shares[column]!;
    }
  }
  const positive = sizes.filter((size) => size > 0).sort();
  const middle = positive[positive.length >> 1];
  if (middle === undefined) return new Int8Array(count);
  return Int8Array.from(sizes, (size) => (size === 0 ? 0 : bitsBetween(size, middle)));
}

/** Half of the bits between two sums of squares, as far as they count. */
function bitsBetween(size: number, middle: number): number {
  const above = size >= middle;
  const bits = floorLog2(above ? size / middle : middle / size) >> 1;
  if (bits < BITS_MIN) return 0;
  return above ? Math.min(bits, BITS_MAX) : -Math.min(bits, BITS_MAX);
}

/** Each column's part of the sum of all squares of a matrix, added row by row in doubles. */
function columnShares(source: TensorRows): Float64Array {
  const { rows, cols, step } = source;
  const squares = new Float64Array(cols);
  for (let from = 0; from < rows; from += step) {
    const data = floatsAt(source, from, Math.min(step, rows - from));
    for (let at = 0; at < data.length; at += cols) {
      for (let column = 0; column < cols; column++) {
        const value = data[at + column]!;
        squares[column]! += value * value;
      }
    }
  }
  const sum = squares.reduce((total, square) => total + square, 0);
  return sum === 0 ? squares : squares.map((square) => square / sum);
}

const floatsAt = (source: TensorRows, from: number, count: number): Float32Array =>
  floatValues(source.read(from, count) as FloatSource);

/** The tensor times its factors, read as before. */
function scaled(source: TensorRows, factors: Factors | undefined): TensorRows {
  if (factors === undefined) return source;
  const { rows, columns } = factors;
  return {
    ...source,
    kind: 'f32',
    read(from, count) {
      const { cols } = source;
      const moved = floatsAt(source, from, count).slice();
      for (let row = 0; row < count; row++) {
        const factor = rows?.[from + row] ?? 1;
        for (let column = 0; column < cols; column++) {
          moved[row * cols + column]! *= factor * (columns?.[column] ?? 1);
        }
      }
      return { kind: 'f32', rows: count, cols, data: moved };
    },
  };
}
