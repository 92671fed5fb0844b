/**
 * Ways in which a provider cheats, for demonstrations and tests on private networks. Each makes a disguise: what the
 * provider sends instead of the truth, and what it says of its trace when it is asked.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Generate, lyingSource, type TraceSource } from '@assay/compute';
import { exportGguf, rowLayout, type W8Matrix } from '@assay/engine';
import { openModelFile } from '@assay/model';
import type { ReceiptEnvelope } from '@assay/protocol';
import { sha256 } from '../court/sha256.js';
import { startTraceHost, type TraceHost } from '../court/trace-host.js';
import { type EngineHost, startEngine } from '../engine/engine-host.js';
import type { Disguise } from '../roles/provider.js';
import type { DemoFault } from './fault-kinds.js';

export type Disguised = { readonly disguise: Disguise; readonly close: () => Promise<void> };

/** Output token, counted from 0, at which a fault of one place happens. */
const FAULT_POSITION = 3;

const NOTHING = async (): Promise<void> => undefined;

/** Makes a disguise; `folder` takes the model files of providers that run another model. */
export async function disguiseAs(
  fault: DemoFault,
  options: { readonly modelPath: string; readonly folder: string },
): Promise<Disguised> {
  if (fault === 'none') return { disguise: {}, close: NOTHING };
  if (fault === 'flip-token') return { disguise: { wrap: flipToken }, close: NOTHING };
  if (fault === 'early-stop') return { disguise: { wrap: stopEarly }, close: NOTHING };
  if (fault === 'wrong-seed') return { disguise: { wrap: otherSeed }, close: NOTHING };
  if (fault === 'flip-activation') return { disguise: flipActivation(options), close: NOTHING };
  if (fault === 'stonewall')
    return { disguise: { ...flipActivation(options), stonewalls: true }, close: NOTHING };
  if (fault === 'silent')
    return { disguise: { wrap: flipToken, trace: () => undefined }, close: NOTHING };
  return otherModel(fault, options);
}

// TOKENS

const flipToken = (generate: Generate): Generate =>
  async function* (input) {
    let position = 0;
    for await (const { tokens } of generate(input))
      for (const token of tokens)
        yield { tokens: [position++ === FAULT_POSITION ? (token > 0 ? token - 1 : 1) : token] };
  };

const stopEarly = (generate: Generate): Generate =>
  async function* (input) {
    let position = 0;
    for await (const { tokens } of generate(input))
      for (const token of tokens) {
        if (position++ === FAULT_POSITION) {
          yield { tokens: [input.job.sampler.stopIds[0]!] };
          return;
        }
        yield { tokens: [token] };
      }
  };

const otherSeed =
  (generate: Generate): Generate =>
  (input) => {
    const { job } = input;
    const sampler = { ...job.sampler, seed: `0x${'5e'.repeat(32)}` as const };
    return generate({ ...input, job: { ...job, sampler } });
  };

// TRACES

/** Changes one activation of a feed-forward in the middle of the model, and hashes everything above it anew. */
function flipActivation({ modelPath }: { readonly modelPath: string }): Disguise {
  const { model } = openModelFile(readFileSync(modelPath));
  const gates = model.graph.nodes.flatMap(({ op }, node) => (op === 'swiGlu' ? [node] : []));
  const node = gates[Math.floor(gates.length / 2)]!;
  const trace = (envelope: ReceiptEnvelope, honest: TraceSource): TraceSource => {
    const t = envelope.inputTokens.length + 1;
    const { job, receipt } = envelope;
    const shape = { ...job, outputCount: receipt.outputCount, controlled: false };
    const { factLeaves } = rowLayout(model.graph, shape, { t, node });
    const flip = (leaves: Uint8Array[]): Uint8Array[] => {
      leaves[factLeaves]![1]! ^= 1;
      return leaves;
    };
    return lyingSource(honest, { t, node, change: flip }, sha256);
  };
  return { trace };
}

// OTHER MODELS

/** Changes a matrix in place. */
type Change = (matrix: W8Matrix, name: string, layerCount: number) => void;

const CHANGES: Readonly<Record<'wrong-weights' | 'skip-layer' | 'four-bit', Change>> = {
  'wrong-weights': ({ data }, name) => {
    if (name.endsWith('ffn_up.weight'))
      for (let i = 0; i < data.length; i += 3) data[i] = -data[i]!;
  },
  'skip-layer': ({ data }, name, layerCount) => {
    // What a layer adds to the residual stream comes through these two.
    const at = `blk.${Math.floor(layerCount / 2)}.`;
    if (name === `${at}attn_output.weight` || name === `${at}ffn_down.weight`) data.fill(0);
  },
  'four-bit': ({ data }) => {
    for (let i = 0; i < data.length; i++) data[i] = Math.max(-112, Math.round(data[i]! / 16) * 16);
  },
};

/** A provider that really runs another model, and traces it, while it sells the first one. */
async function otherModel(
  fault: keyof typeof CHANGES,
  { modelPath, folder }: { readonly modelPath: string; readonly folder: string },
): Promise<Disguised> {
  const { model, metadata } = openModelFile(readFileSync(modelPath));
  for (const [name, matrix] of model.matrices)
    CHANGES[fault](matrix, name, model.config.layerCount);
  const path = join(folder, `${fault}.gguf`);
  writeFileSync(path, exportGguf({ model, metadata }).bytes);
  const engine: EngineHost = await startEngine({ modelPath: path, threads: 1 });
  const traces: TraceHost = await startTraceHost({ modelPath: path });
  const wrap =
    (): Generate =>
    ({ job: { outputCountMax, sampler }, inputTokens, controls, signal }) =>
      engine.run({ inputTokens, outputCountMax, sampler, controls, signal });
  return {
    disguise: { wrap, trace: (envelope) => traces.source(envelope) },
    close: async () => {
      await engine.close();
      await traces.close();
    },
  };
}
