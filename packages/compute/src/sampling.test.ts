/** Answers under controls, made and re-computed by the reference engine on a random model. */
import { randomEngineModel, referenceBackend } from '@assay/engine';
import {
  type Controls,
  DEFAULT_CONTROLS,
  encodeControls,
  type Hex,
  hashControls,
  type ReceiptEnvelope,
  toHex,
} from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createChooser, embeddingBytes, type OpenMask } from './sampling.js';
import { hiddenRows, reexecute, type Verdict } from './verify.js';

const MODEL = randomEngineModel({ seed: 5 });
const INPUT = [3, 14, 15, 9, 2];
const COUNT = 12;
const STOP_ID = 127;
const ZERO: Hex = `0x${'00'.repeat(32)}`;

/** Ids that follow each other: after id i only i + 1 to i + 5 (mod 100), and the stop id after an even count. */
const following: OpenMask = ({ stopIds }) => {
  let last = 0;
  let count = 0;
  return {
    allowed: () => {
      const mask = new Uint8Array(MODEL.config.vocabularySize);
      for (let step = 1; step <= 5; step++) mask[(last + step) % 100] = 1;
      for (const id of stopIds) mask[id] = count % 2 === 0 ? 1 : 0;
      return mask;
    },
    accept: (id) => {
      last = id;
      count++;
    },
  };
};

const samplerOf = (controls: Controls, tau: number) => ({
  tau,
  topK: 0,
  topP: 0,
  minP: 0,
  seed: ZERO,
  stopIds: [STOP_ID],
  controls: hashControls(encodeControls(controls)),
});

/** Everything of an envelope that re-execution reads. */
function answer(controls: Controls, tau: number, done: Controls = controls): ReceiptEnvelope {
  const sampler = samplerOf(controls, tau);
  const options = { sampler, inputTokens: INPUT, outputCountMax: COUNT, openMask: following };
  const chooser = createChooser({ ...options, controls: done });
  const session = referenceBackend.createSession(MODEL);
  const outputTokens: number[] = [];
  const details: Uint8Array[] = [];
  let next: readonly number[] = INPUT;
  while (outputTokens.length < COUNT && outputTokens.at(-1) !== STOP_ID) {
    const { token, detail } = chooser.choose(session.forward(next));
    chooser.accept(token);
    outputTokens.push(token);
    details.push(detail);
    next = [token];
  }
  return envelope({ controls, sampler, outputTokens, detail: Buffer.concat(details) });
}

function envelope(options: {
  readonly controls: Controls;
  readonly sampler: ReturnType<typeof samplerOf>;
  readonly outputTokens: readonly number[];
  readonly detail: Uint8Array;
}): ReceiptEnvelope {
  const { controls, sampler, outputTokens, detail } = options;
  const bytes = encodeControls(controls);
  return {
    job: { sampler, outputCountMax: COUNT },
    inputTokens: INPUT,
    outputTokens,
    ...(bytes.length === 0 ? {} : { controls: toHex(bytes) }),
    ...(detail.length === 0 ? {} : { detail: toHex(detail) }),
  } as unknown as ReceiptEnvelope;
}

const judge = (receipt: ReceiptEnvelope): Verdict =>
  reexecute({
    envelope: receipt,
    session: referenceBackend.createSession(MODEL),
    openMask: following,
  });

const q16 = fc.integer({ min: -200_000, max: 200_000 });
const controlled: fc.Arbitrary<Controls> = fc
  .record({
    repetition: fc.constantFrom(65_536, 80_000, 131_072),
    presence: q16,
    frequency: q16,
    bias: fc
      .uniqueArray(
        fc.tuple(
          fc.nat(99),
          q16.filter((amount) => amount !== 0),
        ),
        {
          selector: ([id]) => id,
          maxLength: 3,
        },
      )
      .map((list) => list.sort((a, b) => a[0] - b[0])),
    grammar: fc.option(fc.constant(Uint8Array.of(1)), { nil: undefined }),
    topLogprobs: fc.option(fc.nat(3), { nil: undefined }),
  })
  .map(({ grammar, topLogprobs, ...rest }) => ({
    ...rest,
    ...(grammar === undefined ? {} : { grammar }),
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
  }));
const tau = fc.constantFrom(0, 94_548);

describe('reexecute', () => {
  it('finds honest answers identical, whatever is controlled (seed 61)', () => {
    fc.assert(
      fc.property(controlled, tau, (controls, heat) => {
        const receipt = answer(controls, heat);
        expect(judge(receipt)).toEqual({
          result: 'identical',
          tokens: receipt.outputTokens.length,
        });
      }),
      { seed: 61, numRuns: 25 },
    );
  });

  it('finds answers under other controls different where they first differ (seed 62)', () => {
    let found = 0;
    fc.assert(
      fc.property(controlled, tau, ({ topLogprobs: _, ...controls }, heat) => {
        const honest = answer(controls, heat).outputTokens;
        const cheat = answer(controls, heat, DEFAULT_CONTROLS);
        const position = cheat.outputTokens.findIndex((token, at) => token !== honest[at]);
        const verdict = judge(cheat);
        if (position < 0) expect(verdict.result).toBe('identical');
        else {
          found++;
          const [expected, wrong] = [honest[position], cheat.outputTokens[position]];
          expect(verdict).toEqual({ result: 'different', position, expected, found: wrong });
        }
      }),
      { seed: 62, numRuns: 25 },
    );
    expect(found).toBeGreaterThan(10);
  });

  it('finds a false or missing log probability at its token', () => {
    const receipt = answer({ ...DEFAULT_CONTROLS, topLogprobs: 2 }, 0);
    const bytes = Buffer.from(receipt.detail!.slice(2), 'hex');
    expect(bytes.length).toBe(20 * receipt.outputTokens.length);
    for (const at of [3, 20 * 4 + 7, bytes.length - 1]) {
      const changed = Uint8Array.from(bytes);
      changed[at] = changed[at]! ^ 1;
      const position = Math.floor(at / 20);
      const verdict = judge({ ...receipt, detail: toHex(changed) });
      expect(verdict).toMatchObject({ result: 'different', part: 'logprobs', position });
    }
    const cut = toHex(Uint8Array.from(bytes.subarray(0, 40)));
    expect(judge({ ...receipt, detail: cut })).toMatchObject({ part: 'logprobs', position: 2 });
  });

  it('re-computes embeddings, in chunks of any size the same', () => {
    for (const pooling of ['mean', 'last'] as const) {
      const controls = { ...DEFAULT_CONTROLS, pooling };
      const session = referenceBackend.createSession(MODEL);
      const rows = INPUT.flatMap((token) => hiddenRows(session, [token]));
      const detail = embeddingBytes(rows, pooling);
      const sampler = samplerOf(controls, 0);
      const receipt = envelope({ controls, sampler, outputTokens: [], detail });
      expect(judge(receipt)).toEqual({ result: 'identical', tokens: 0 });
      const changed = Uint8Array.from(detail);
      changed[4 * 7 + 3] = changed[4 * 7 + 3]! ^ 1;
      const verdict = judge({ ...receipt, detail: toHex(changed) });
      expect(verdict).toMatchObject({ result: 'different', part: 'embedding', position: 7 });
      const longer = toHex(Uint8Array.from([...detail, 0, 0, 0, 0]));
      expect(judge({ ...receipt, detail: longer })).toMatchObject({ position: detail.length / 4 });
    }
  });

  it('says that a grammar cannot be opened where nobody can, and that a receipt with a bad one is invalid', () => {
    const receipt = answer({ ...DEFAULT_CONTROLS, grammar: Uint8Array.of(1) }, 0);
    const session = referenceBackend.createSession(MODEL);
    expect(() => reexecute({ envelope: receipt, session })).toThrow(
      expect.objectContaining({ code: 'grammar_unknown' }),
    );
    const refusing: OpenMask = () => {
      throw Object.assign(new Error('no'), { code: 'grammar_invalid' });
    };
    expect(() => reexecute({ envelope: receipt, session, openMask: refusing })).toThrow(
      expect.objectContaining({ code: 'receipt_invalid' }),
    );
  });
});
