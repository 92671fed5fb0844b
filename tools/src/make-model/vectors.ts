/**
 * Hashes that every machine must reach on the way to the shipped file: of a toy training, of the tokenizer, of the
 * first batch and the first step, and of the file itself. The tests compare with what is committed.
 */

import { createHash } from 'node:crypto';
import { createGroup } from './batch.js';
import type { Tokenizer } from './bpe.js';
import { tinyTraining } from './fixture.js';
import { RECIPE } from './recipe.js';
import type { Phrasebook } from './text.js';
import { train } from './train.js';

export type Vectors = {
  /** Weights after three steps over the toy shape. */
  readonly tinyThreeSteps: string;
  readonly tokenizer: string;
  /** Token ids of the first gradient group. */
  readonly firstGroup: string;
  /** Weights after the first step of the shipped recipe. */
  readonly firstStep: string;
  readonly model: string;
};

/** The vectors of a file; takes some seconds. */
export async function makeVectors(
  model: Uint8Array,
  { phrasebook, tokenizer }: { readonly phrasebook: Phrasebook; readonly tokenizer: Tokenizer },
): Promise<Vectors> {
  const source = { phrasebook, tokenizer, rows: RECIPE.shape.rows };
  const group = createGroup(source, { seed: RECIPE.seed, step: 0, group: 0 });
  const first = { recipe: RECIPE, phrasebook, tokenizer, threads: 2, stopAfter: 1 };
  return {
    tinyThreeSteps: hashOf(await train({ ...tinyTraining(phrasebook, 1), stopAfter: 3 })),
    tokenizer: hashOf(tokenizer.merges.join('\n')),
    firstGroup: hashOf(group.tokens),
    firstStep: hashOf(await train(first)),
    model: hashOf(model),
  };
}

/** SHA-256 of the bytes as they lie in memory, or of UTF-8 text. */
export function hashOf(values: Float32Array | Int32Array | Uint8Array | string): string {
  const bytes =
    typeof values === 'string'
      ? values
      : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
}
