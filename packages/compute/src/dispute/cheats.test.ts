/**
 * The cheats of a provider one by one: whole passes by another model, another prompt, another memory. Each is convicted
 * by the kind that the cheat is about, by the judge in TypeScript; contracts are held to it by `npm run challenges`.
 */
import { createHash } from 'node:crypto';
import { type EngineModel, rowLayout, type Trace, traceOf, wasmPass } from '@assay/engine';
import { commitTokens, fromHex, type Hex, toHex, traceKey } from '@assay/protocol';
import { describe, expect, it } from 'vitest';
import { traceJobOf } from './case.js';
import { findFraud } from './find-fraud.js';
import { judgeProof } from './judge.js';
import { sourceOf, type TraceSource } from './source.js';
import { type HonestCase, honestCase } from './testing/honest-case.js';
import { type Lie, lyingPositions, lyingTrace } from './testing/lying-trace.js';
import { decodeProof } from './trace-proof.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const shape = { seed: 9, inputCount: 12, outputCount: 4, hash: sha256 };
const honest = honestCase({ ...shape, config: { layerCount: 2 } });
const job = traceJobOf(honest.signed);
const { graph } = honest.model;
const tokens = [...honest.envelope.inputTokens, ...honest.envelope.outputTokens];

/** The trace that somebody else's pass gives, over the same positions and with the right salts. */
const passed = (by: {
  readonly model?: EngineModel;
  readonly tokens?: readonly number[];
}): Trace => {
  const model = by.model ?? honest.model;
  const pass = wasmPass(model, by.tokens ?? tokens);
  const key = fromHex(traceKey(honest.envelope.salt));
  return traceOf({ model, job, pass, traceKey: key, hash: sha256 });
};

/** The kind that the search finds and the judge takes, or undefined if there is nothing to find. */
async function convicted(source: TraceSource, of: HonestCase = honest) {
  const fraud = await findFraud({ ...of, own: of.trace, source, hash: sha256 });
  if (fraud === undefined) return undefined;
  const signed = { ...of.signed, traceRoot: toHex(await source.root()) };
  const proof = decodeProof(fraud.bytes);
  const options = { signed, graph: of.model.graph, kind: fraud.kind, proof, hash: sha256 };
  expect(judgeProof(options)).toBe(true);
  return { kind: fraud.kind, op: of.model.graph.nodes[proof.node]!.op, position: proof.position };
}

/** The model with some of its matrices changed. */
function altered(model: EngineModel, change: (data: Int8Array, name: string) => void): EngineModel {
  const matrices = new Map(model.matrices);
  for (const [name, matrix] of model.matrices) {
    const data = matrix.data.slice();
    change(data, name);
    matrices.set(name, { ...matrix, data });
  }
  return { ...model, matrices };
}

const fourBits = (data: Int8Array): void =>
  data.forEach((weight, i) => {
    data[i] = Math.max(-112, Math.round(weight / 16) * 16);
  });

describe('a provider', () => {
  it('that is honest is not convicted', async () => {
    expect(await convicted(sourceOf(passed({})))).toBeUndefined();
  });

  it('with weights of four bits is convicted by the first element that they change', async () => {
    const model = altered(honest.model, fourBits);
    expect(await convicted(sourceOf(passed({ model })))).toMatchObject({ kind: 'embedElement' });
    const deeper = altered(honest.model, (data, name) => {
      if (name.includes('ffn_down')) fourBits(data);
    });
    expect(await convicted(sourceOf(passed({ model: deeper })))).toMatchObject({ op: 'matmul' });
  });

  it('with keys or values of four bits is convicted by the row that it kept', async () => {
    for (const op of ['rope', 'splitHeads'] as const) {
      const kept = (node: number) => graph.tensors[graph.nodes[node]!.output]!.kept;
      const nodes = [...graph.nodes.keys()].filter(
        (node) => graph.nodes[node]!.op === op && kept(node),
      );
      const lies: Lie[] = tokens
        .slice(1)
        .flatMap((_, t) =>
          nodes.map((node) => ({ t, node, change: (leaves) => fewerBits(leaves, t, node) })),
        );
      expect(lies).toHaveLength(2 * (tokens.length - 1));
      const found = await convicted(lyingTrace(honest.trace, lies, sha256));
      expect(found).toMatchObject({ kind: op === 'rope' ? 'ropeElement' : 'splitElement', op });
    }
  });

  it('that skips a layer is convicted by a matrix of that layer', async () => {
    const model = altered(honest.model, (data, name) => {
      if (/blk\.1\.(attn_output|ffn_down)/.test(name)) data.fill(0);
    });
    expect(await convicted(sourceOf(passed({ model })))).toMatchObject({ op: 'matmul' });
  });

  it('that drops the beginning of its context is convicted, whatever it puts there', async () => {
    // Other tokens in the place of those that it dropped.
    const padded = [...Array.from({ length: 5 }, () => 0), ...tokens.slice(5)];
    const put = await convicted(sourceOf(passed({ tokens: padded })));
    expect(put).toMatchObject({ kind: 'embedElement', position: 0 });
    // The rest of the tokens from the first position on.
    const moved = [...tokens.slice(5), ...tokens.slice(0, 5)];
    expect(await convicted(sourceOf(passed({ tokens: moved })))).toMatchObject({
      kind: 'embedElement',
    });
    // A shorter trace.
    const shorter = lyingPositions(honest.trace, honest.trace.positions.slice(5), sha256);
    expect(await convicted(shorter)).toMatchObject({ kind: 'traceCount' });
  });

  it('that alters the prompt is convicted by the first token that was not asked', async () => {
    const system = tokens.map((token, i) => (i < 3 ? (token + 7) % 1_000 : token));
    const found = await convicted(sourceOf(passed({ tokens: system })));
    expect(found).toMatchObject({ kind: 'embedElement', position: 0 });
    const one = tokens.map((token, i) => (i === 8 ? (token + 1) % 1_000 : token));
    expect(await convicted(sourceOf(passed({ tokens: one })))).toMatchObject({
      kind: 'embedElement',
      position: 8,
    });
  });

  it('that decodes by a cheap model is convicted by its tokens, though its trace is honest', async () => {
    const answeredBy = (model: EngineModel) => altered(model, fourBits);
    const cheap = honestCase({ ...shape, sampler: { tau: 0 }, answeredBy });
    const found = await convicted(sourceOf(cheap.trace), cheap);
    expect(found).toMatchObject({ kind: 'token' });
  });
});

/** Elements of a row as a memory of four bits has them. */
function fewerBits(leaves: readonly Uint8Array[], t: number, node: number): Uint8Array[] {
  const layout = rowLayout(graph, job, { t, node });
  return leaves.map((leaf, i) => {
    if (i < layout.factLeaves || i >= layout.firstPartial) return leaf;
    const kept = leaf.slice();
    const view = new DataView(kept.buffer);
    for (let at = 0; at < kept.length; at += 2) {
      const mantissa = view.getUint16(at) - 32_768;
      view.setUint16(
        at,
        Math.max(-28_672, Math.min(28_672, Math.round(mantissa / 4096) * 4096)) + 32_768,
      );
    }
    return kept;
  });
}

describe('a client', () => {
  it('that claims another prompt finds a difference, and no proof of it opens', async () => {
    // The provider computed what was signed; the client says that it had asked something else.
    const claimed = tokens.map((token, i) => (i === 2 ? (token + 5) % 1_000 : token));
    const inputTokens = claimed.slice(0, honest.envelope.inputTokens.length);
    const own = passed({ tokens: claimed });
    const envelope = { ...honest.envelope, inputTokens };
    const source = sourceOf(honest.trace);
    const fraud = await findFraud({ ...honest, envelope, own, source, hash: sha256 });
    const options = { signed: honest.signed, graph, kind: fraud!.kind, hash: sha256 };
    const proof = decodeProof(fraud!.bytes);
    expect(() => judgeProof({ ...options, proof })).toThrow(
      expect.objectContaining({ code: 'proof_malformed' }),
    );
    expect(commitTokens(honest.envelope.salt, inputTokens)).not.toBe(honest.signed.inputRoot);
  });
});

describe('a stranger', () => {
  it('that knows model, question and all answers but one cannot tell which one was given', () => {
    // One token of 1,100 is little entropy: without the salt no guess gives the leaf, with it exactly one does.
    const { salt, outputTokens } = honest.envelope;
    const rest = outputTokens.slice(1);
    const guesses = Array.from({ length: 1_100 }, (_, token) => [token, ...rest]);
    const matches = (by: Hex) =>
      guesses.filter((guess) => commitTokens(by, guess) === honest.signed.outputRoot);
    expect(matches(salt)).toEqual([outputTokens]);
    const others: readonly Hex[] = [`0x${'00'.repeat(32)}`, honest.signed.traceKeyHash];
    for (const other of others) expect(matches(other)).toEqual([]);
  });

  it('that computes the very trace cannot recognise its root without the key', () => {
    const pass = () => wasmPass(honest.model, tokens);
    const rootBy = (key: Uint8Array) =>
      toHex(traceOf({ model: honest.model, job, pass: pass(), traceKey: key, hash: sha256 }).root);
    expect(rootBy(fromHex(traceKey(honest.envelope.salt)))).toBe(honest.signed.traceRoot);
    expect(rootBy(fromHex(honest.signed.traceKeyHash))).not.toBe(honest.signed.traceRoot);
    expect(rootBy(new Uint8Array(32))).not.toBe(honest.signed.traceRoot);
  });
});
