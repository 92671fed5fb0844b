/** Seeds: 7 for the model, 3 for the ids. */
import { mulberry32, randomEngineModel, referenceBackend } from '@assay/engine';
import { describe, expect, it } from 'vitest';
import { floatLogits, floatsOf } from './float-model.js';
import { withOutliers } from './outliers.js';

const model = randomEngineModel({
  seed: 7,
  config: { headCount: 4, headSize: 16, kvHeadCount: 2 },
});
const next = mulberry32(3);
const tokens = Array.from({ length: 20 }, () => next() % model.config.vocabularySize);

describe('floatLogits', () => {
  it('are what the integer engine approximates', () => {
    const exact = referenceBackend.createSession(model).forward(tokens, { logits: 'all' });
    const rows = floatLogits(floatsOf(model), tokens);
    expect(rows.length).toBe(tokens.length);
    const errors = rows.flatMap((row, position) =>
      Array.from(row, (logit, id) => exact[position * row.length + id]! / 65_536 - logit),
    );
    const rms = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
    expect(rms).toBeLessThan(0.0015);
  });
});

describe('withOutliers', () => {
  const floats = floatsOf(model);
  const outlying = withOutliers(floats);

  it('does not change the function', () => {
    const before = floatLogits(floats, tokens).at(-1)!;
    const after = floatLogits(outlying, tokens).at(-1)!;
    // Division by 100 is rounded to float32, 24 bits.
    before.forEach((logit, id) => {
      expect(after[id]).toBeCloseTo(logit, 4);
    });
  });

  it('makes some channels a hundred times larger', () => {
    const ratios = Array.from(
      outlying.tensors.get('blk.0.attn_norm.weight')!,
      (gain, i) => gain / floats.tensors.get('blk.0.attn_norm.weight')![i]!,
    );
    expect(ratios.filter((ratio) => Math.abs(ratio - 100) < 1e-3)).toHaveLength(4);
    expect(ratios.filter((ratio) => ratio === 1)).toHaveLength(model.config.width - 4);
  });
});
