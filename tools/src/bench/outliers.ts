/**
 * Outlier channels, as large models have them: a few channels of the normalised row, and of the feed-forward's inner
 * row, are made a hundred times larger, and the weights that read them a hundred times smaller. In real numbers
 * nothing changes; for 8-bit activations with one scale per row it is the worst case.
 */
import type { FloatModel } from './float-model.js';

/** Factor of the channels. */
const FACTOR = 100;
/** Channels of each norm, and of each feed-forward. */
const NORM_CHANNELS = 4;
const INNER_CHANNELS = 8;

/** The same function with outlier channels in every layer. */
export function withOutliers(model: FloatModel): FloatModel {
  const { layerCount, width, feedForwardWidth } = model.config;
  const tensors = new Map([...model.tensors].map(([name, data]) => [name, data.slice()]));
  const scale = (name: string, change: (data: Float32Array) => void) => change(tensors.get(name)!);
  for (let layer = 0; layer < layerCount; layer++) {
    const at = `blk.${layer}.`;
    for (const channel of spread(NORM_CHANNELS, width, layer)) {
      const raise = (data: Float32Array) => {
        data[channel]! *= FACTOR;
      };
      const lower = (data: Float32Array) => scaleColumn(data, { width, channel });
      scale(`${at}attn_norm.weight`, raise);
      for (const name of ['attn_q', 'attn_k', 'attn_v']) scale(`${at}${name}.weight`, lower);
      scale(`${at}ffn_norm.weight`, raise);
      for (const name of ['ffn_gate', 'ffn_up']) scale(`${at}${name}.weight`, lower);
    }
    for (const channel of spread(INNER_CHANNELS, feedForwardWidth, layer)) {
      scale(`${at}ffn_up.weight`, (data) => {
        for (let k = 0; k < width; k++) data[channel * width + k]! *= FACTOR;
      });
      scale(`${at}ffn_down.weight`, (data) =>
        scaleColumn(data, { width: feedForwardWidth, channel }),
      );
    }
  }
  return { config: model.config, tensors };
}

function scaleColumn(
  data: Float32Array,
  { width, channel }: { readonly width: number; readonly channel: number },
): void {
  for (let at = channel; at < data.length; at += width) data[at]! /= FACTOR;
}

/** So many channels, far from each other and different from layer to layer. */
const spread = (count: number, width: number, layer: number): number[] =>
  Array.from(
    { length: count },
    (_, i) => (Math.floor((i * width) / count) + 7 + 5 * layer) % width,
  );
