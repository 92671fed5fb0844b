/** The court's completeness: every single change of a trace is convicted, and an honest trace by nothing. */
import { createHash } from 'node:crypto';
import {
  decodeFacts,
  encodeFacts,
  referencePass,
  rowCount,
  rowLayout,
  traceOf,
} from '@assay/engine';
import { fromHex, toHex, traceKey } from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { traceJobOf } from './case.js';
import { chargesOf } from './charges.js';
import { findFraud } from './find-fraud.js';
import { judgeProof } from './judge.js';
import { type Charge, examineCharge, type ProverOptions } from './prover.js';
import { checkedSource, sourceOf, type TraceSource } from './source.js';
import { type HonestCase, honestCase } from './testing/honest-case.js';
import { lyingPositions, lyingRows, lyingTrace } from './testing/lying-trace.js';
import { decodeProof } from './trace-proof.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const honest = honestCase({ seed: 3, inputCount: 62, outputCount: 9, hash: sha256 });
const job = traceJobOf(honest.signed);
const { graph } = honest.model;

const search = (source: TraceSource, from: HonestCase = honest) =>
  findFraud({ ...from, own: from.trace, source, hash: sha256 });

/** What the judge says about the proof that the finder gives for this trace. */
async function convict(source: TraceSource, from: HonestCase = honest) {
  const fraud = (await search(source, from))!;
  const signed = { ...from.signed, traceRoot: toHex(await source.root()) };
  const proof = decodeProof(fraud.bytes);
  const options = { graph: from.model.graph, kind: fraud.kind, proof, hash: sha256 };
  return {
    kind: fraud.kind,
    guilty: judgeProof({ ...options, signed }),
    /** The same openings cannot be shown under the honest root. */
    honest: () => judgeProof({ ...options, signed: from.signed }),
  };
}

/** One position for each thing that changes with it: first, logits, closing, two blocks, last. */
const POSITIONS = [0, 5, 61, 63, 64, 69];

const addressOf = (t: number, choice: number) => {
  const node = choice % rowCount(graph, job, t);
  return { t, node, layout: rowLayout(graph, job, { t, node }) };
};

/** A charge's verdict; one whose numbers do not exist in an honest row cannot be opened. */
async function verdictOf(options: ProverOptions, charge: Charge): Promise<boolean> {
  const layout = rowLayout(graph, job, charge);
  const inputHeads = graph.tensors[graph.nodes[charge.node]!.inputs[0]!]!.shape.at(1);
  const heads = charge.kind === 'joinTop' ? (inputHeads as number) : layout.heads;
  if (charge.index >= layout.size || charge.head >= heads) return false;
  try {
    return (await examineCharge(options, charge)).guilty;
  } catch (error) {
    expect(error).toMatchObject({ code: 'proof_malformed' });
    return false;
  }
}

describe('findFraud', () => {
  it('finds nothing in an honest trace', async () => {
    expect(await search(sourceOf(honest.trace))).toBeUndefined();
  });

  it('convicts nothing of an honest trace, whatever is charged', async () => {
    const source = checkedSource(sourceOf(honest.trace), sha256);
    const options = { ...honest, source, hash: sha256 };
    let charges = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...POSITIONS),
        fc.nat(),
        fc.nat(),
        async (at, choice, other) => {
          const { t, node } = addressOf(at, choice);
          const own = honest.trace.leaves(t, node);
          const theirs = own.map((leaf) => leaf.map((byte, i) => (byte + other * (i + 1)) % 256));
          const token = [...honest.envelope.inputTokens, ...honest.envelope.outputTokens][t]!;
          for (const charge of chargesOf({ graph, job, t, node, token, own, theirs })) {
            if (charges % 7 === 0) expect(await verdictOf(options, charge)).toBe(false);
            charges++;
          }
        },
      ),
      { seed: 12, numRuns: 30 },
    );
    expect(charges).toBeGreaterThan(500);
  });

  it('convicts any single bit of any leaf, with a proof that the judge opens', async () => {
    const kinds = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...POSITIONS),
        fc.nat(),
        fc.nat(),
        fc.nat(),
        async (at, choice, which, bit) => {
          const { t, node, layout } = addressOf(at, choice);
          // Facts are few and say most, so every second change is one of theirs.
          const { factLeaves, leafCount } = layout;
          const leaf = which % 2 === 0 && factLeaves > 0 ? choice % factLeaves : which % leafCount;
          const change = (leaves: Uint8Array[]) => {
            const bytes = leaves[leaf]!;
            bytes[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
            return leaves;
          };
          const source = lyingTrace(honest.trace, [{ t, node, change }], sha256);
          const verdict = await convict(source);
          expect(verdict.guilty).toBe(true);
          expect(verdict.honest).toThrow(expect.objectContaining({ code: 'proof_malformed' }));
          kinds.set(verdict.kind, (kinds.get(verdict.kind) ?? 0) + 1);
        },
      ),
      { seed: 11, numRuns: 250 },
    );
    expect([...kinds.keys()].length).toBeGreaterThan(20);
  });

  it('convicts every index that is not the lowest, or not right at all', async () => {
    let lies = 0;
    for (let node = 0; node < graph.nodes.length; node++) {
      const layout = rowLayout(graph, job, { t: 63, node });
      if (layout.factLeaves === 0) continue;
      const own = decodeFacts(layout, honest.trace.leaves(63, node)[0]!);
      for (const { name, bound } of layout.rule.facts) {
        if (bound === undefined) continue;
        for (const named of [own.numbers[name]! + 1, 3, 2 ** 15]) {
          if (named === own.numbers[name]) continue;
          const numbers = { ...own.numbers, [name]: named };
          const change = ([, ...leaves]: Uint8Array[]) => [
            encodeFacts(layout, { ...own, numbers }),
            ...leaves,
          ];
          const source = lyingTrace(honest.trace, [{ t: 63, node, change }], sha256);
          expect((await convict(source)).guilty, `${graph.nodes[node]!.op}.${name}`).toBe(true);
          lies++;
        }
      }
    }
    expect(lies).toBeGreaterThan(50);
  });

  it('convicts shapes that contradict their closed forms', async () => {
    const { trace } = honest;
    const [first, second, ...rest] = trace.positions;
    const salted = [first!, { ...second!, salt: first!.salt }, ...rest];
    const [facts, ...leaves] = trace.leaves(5, 1);
    const lie = (change: readonly Uint8Array[]) =>
      lyingTrace(trace, [{ t: 5, node: 1, change: () => change }], sha256);
    const sources: readonly [string, TraceSource][] = [
      ['traceCount', lyingPositions(trace, [...trace.positions, first!], sha256)],
      ['traceCount', lyingPositions(trace, trace.positions.slice(1), sha256)],
      ['salt', lyingPositions(trace, salted, sha256)],
      ['positionCount', lyingRows(trace, 5, { rows: trace.rows(5).slice(1), hash: sha256 })],
      ['rowCount', lie([facts!, ...leaves, facts!])],
      ['leafForm', lie([facts!.slice(1), ...leaves])],
      ['leafForm', lie([facts!, ...leaves.slice(0, -1), new Uint8Array(0)])],
    ];
    for (const [kind, source] of sources) {
      expect(await convict(source)).toMatchObject({ kind, guilty: true });
    }
  });

  it('convicts a lying tile that partial sums of earlier positions agree with', async () => {
    const node = graph.nodes.findIndex(({ op }) => op === 'mix');
    const early = rowLayout(graph, job, { t: 40, node });
    const late = rowLayout(graph, job, { t: 63, node });
    const raise = (leaf: number, byte: number) => (leaves: Uint8Array[]) => {
      leaves[leaf]![byte]! += 1;
      return leaves;
    };
    const lies = [
      { t: 40, node, change: raise(early.firstPartial, 7) },
      { t: 63, node, change: raise(late.firstTile, 1) },
    ];
    // The sum is wrong whatever the tile says, or the tile is: one of both convicts.
    const verdict = await convict(lyingTrace(honest.trace, lies, sha256));
    expect(verdict.guilty).toBe(true);
    expect(['mixPartial', 'tile']).toContain(verdict.kind);
  });

  it('convicts a provider that computed with one other weight', async () => {
    const { model, envelope } = honest;
    const name = model.graph.weights.find((weight) => weight.name.includes('ffn_down'))!.name;
    const matrix = model.matrices.get(name)!;
    const data = matrix.data.slice();
    data[1_000]! ^= 64;
    const matrices = new Map(model.matrices).set(name, { ...matrix, data });
    const tokens = [...envelope.inputTokens, ...envelope.outputTokens];
    const traceKeyBytes = fromHex(traceKey(envelope.salt));
    const pass = referencePass({ ...model, matrices }, tokens);
    const other = traceOf({
      model: { ...model, matrices },
      job,
      pass,
      traceKey: traceKeyBytes,
      hash: sha256,
    });
    const verdict = await convict(sourceOf(other));
    expect(verdict).toMatchObject({ kind: 'matmulPartial', guilty: true });
  });

  it('convicts a token that the logits do not give, under each setting of the sampler', async () => {
    const settings = [{ tau: 0 }, { topK: 0 }, { topP: 0 }, { topK: 0, topP: 0, minP: 0 }];
    for (const [seed, sampler] of settings.entries()) {
      const shape = { seed, inputCount: 3, outputCount: 4, sampler, hash: sha256 };
      const fair = honestCase(shape);
      expect(await search(sourceOf(fair.trace), fair)).toBeUndefined();
      const wrong = honestCase({ ...shape, wrongToken: 2 });
      const verdict = await convict(sourceOf(wrong.trace), wrong);
      expect(verdict).toMatchObject({ kind: 'token', guilty: true });
    }
  });

  it('leaves tokens under controls to re-execution', async () => {
    const controls = `0x${'01'.repeat(32)}` as const;
    const shape = { seed: 1, inputCount: 3, outputCount: 4, sampler: { controls }, hash: sha256 };
    const wrong = honestCase({ ...shape, wrongToken: 2 });
    expect(await search(sourceOf(wrong.trace), wrong)).toBeUndefined();
  });

  it('says when answers do not fit each other', async () => {
    const source = { ...sourceOf(honest.trace), root: async () => new Uint8Array(32) };
    await expect(search(source)).rejects.toMatchObject({ code: 'trace_unanswered' });
  });

  for (const family of ['qwen2', 'qwen3'] as const) {
    it(`convicts any single bit of the ops of ${family}`, async () => {
      const own = ['bias', 'headNorm'];
      const shape = { seed: 2, inputCount: 2, outputCount: 2, config: { family }, hash: sha256 };
      const from = honestCase(shape);
      const { nodes } = from.model.graph;
      const places = [...nodes.keys()].filter((node) => own.includes(nodes[node]!.op));
      expect(places.length).toBeGreaterThan(1);
      const any = [fc.constantFrom(...places), fc.nat(2), fc.nat(), fc.nat()] as const;
      await fc.assert(
        fc.asyncProperty(...any, async (node, t, which, bit) => {
          const change = (leaves: Uint8Array[]) => {
            const bytes = leaves[which % leaves.length]!;
            bytes[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
            return leaves;
          };
          const source = lyingTrace(from.trace, [{ t, node, change }], sha256);
          expect((await convict(source, from)).guilty).toBe(true);
        }),
        { seed: 13, numRuns: 30 },
      );
    });
  }
});
