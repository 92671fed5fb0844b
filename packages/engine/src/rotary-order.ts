/**
 * The order of rows within rotary heads. A pair (x, y) of a head of size n lies in rows 2i and 2i + 1 of this engine
 * and of some GGUF files (`adjacent`), in rows i and i + n/2 of all safetensors folders and of other GGUF files
 * (`halves`). Whatever belongs to such a row moves with it: weights, biases, gains. It knows no file.
 */
import type { TensorSource } from './import-tensor.js';
import type { ModelConfig } from './model-config.js';

/** How the rows of a weight are cut into heads. */
export type RotaryHeads = { readonly headCount: number; readonly headSize: number };

/** Heads of the weight that GGUF calls `name`; undefined if its rows stand in no rotary order. */
export function rotaryHeads(name: string, config: ModelConfig): RotaryHeads | undefined {
  const part = /\.attn_([qk])(_norm)?\.(?:weight|bias)$/.exec(name);
  if (part === null) return undefined;
  const { headCount, kvHeadCount, headSize } = config;
  if (part[2] !== undefined) return { headCount: 1, headSize };
  return { headCount: part[1] === 'q' ? headCount : kvHeadCount, headSize };
}

/** A tensor in the order of halves, brought to this engine's. */
export function toAdjacentPairs(source: TensorSource, heads: RotaryHeads): TensorSource {
  const rows = heads.headCount * heads.headSize;
  const move = <Values extends Movable>(values: Values): Values =>
    moveRows(values, heads, { rowSize: values.length / rows, target: fromHalves });
  if (source.kind === 'q8') {
    return { ...source, quants: move(source.quants), scales: move(source.scales) };
  }
  return source.kind === 'f16'
    ? { ...source, data: move(source.data) }
    : { ...source, data: move(source.data) };
}

/** Rows of this engine in the order of halves; a row is any equal share of `values`. */
export const toHalves = <Values extends Movable>(values: Values, heads: RotaryHeads): Values =>
  moveRows(values, heads, {
    rowSize: values.length / (heads.headCount * heads.headSize),
    target: toHalf,
  });

type Movable = Float32Array | Uint16Array | Int8Array | Uint8Array;

/** Row of the engine that row `row` of a head in halves goes to. */
const fromHalves = (row: number, pairs: number): number =>
  row < pairs ? 2 * row : 2 * (row - pairs) + 1;

const toHalf = (row: number, pairs: number): number => (row >> 1) + (row & 1) * pairs;

function moveRows<Values extends Movable>(
  values: Values,
  { headCount, headSize }: RotaryHeads,
  {
    rowSize,
    target,
  }: { readonly rowSize: number; readonly target: (row: number, pairs: number) => number },
): Values {
  const moved = values.slice() as Values;
  for (let head = 0; head < headCount; head++) {
    for (let row = 0; row < headSize; row++) {
      const from = (head * headSize + row) * rowSize;
      const to = (head * headSize + target(row, headSize / 2)) * rowSize;
      moved.set(values.subarray(from, from + rowSize), to);
    }
  }
  return moved;
}
