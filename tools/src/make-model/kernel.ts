/**
 * Compiles the AssemblyScript trainer and gives its exports types. The compiled module is never
 * committed: its source is. It knows no schedule.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as asc from 'assemblyscript/asc';
import { HEAD_SIZE, type Shape } from './shape.js';

/** Upper bound of the shared memory, in pages of 64 KiB (1 GiB). */
export const PAGES_MAX = 16_384;

export type Kernel = {
  readonly configure: (...shapeAndAddresses: readonly number[]) => void;
  readonly scratchFloats: () => number;
  readonly gradient: (
    parameters: number,
    gradients: number,
    tokens: number,
    positions: number,
    targets: number,
    weights: number,
    rows: number,
    scale: number,
  ) => number;
  readonly reduce: (
    gradients: number,
    strideBytes: number,
    groups: number,
    floats: number,
  ) => number;
  readonly adamw: (
    parameters: number,
    first: number,
    second: number,
    gradients: number,
    floats: number,
    clip: number,
    step1: number,
    root2: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    decay: number,
  ) => void;
};

/** Compiles the kernels from source; takes a second or two. */
export async function compileKernel(): Promise<WebAssembly.Module> {
  const folder = fileURLToPath(new URL('../../make-model/assembly/', import.meta.url));
  const target = mkdtempSync(join(tmpdir(), 'assay-kernel-'));
  try {
    const output = join(target, 'kernel.wasm');
    const { error, stderr } = await asc.main([
      join(folder, 'index.ts'),
      ...['--outFile', output, '-O3', '--runtime', 'stub', '--noAssert', '--use', 'abort='],
      ...['--importMemory', '--sharedMemory', '--initialMemory', '1'],
      ...['--maximumMemory', String(PAGES_MAX), '--enable', 'simd', '--enable', 'threads'],
    ]);
    if (error !== null) throw new Error(`the kernels do not compile: ${stderr.toString()}`);
    return new WebAssembly.Module(readFileSync(output));
  } finally {
    rmSync(target, { recursive: true });
  }
}

/** An instance over shared memory, configured for a shape. */
export function openKernel(
  module: WebAssembly.Module,
  options: {
    readonly memory: WebAssembly.Memory;
    readonly shape: Shape;
    readonly table: number;
    readonly scratch: number;
  },
): Kernel {
  const instance = new WebAssembly.Instance(module, { env: { memory: options.memory } });
  const kernel = instance.exports as unknown as Kernel;
  const { width, heads, kvHeads, hidden, layers, vocabulary, rows } = options.shape;
  const scale = 1 / Math.sqrt(HEAD_SIZE);
  const addresses = [options.table, options.scratch];
  kernel.configure(width, heads, kvHeads, hidden, layers, vocabulary, rows, scale, ...addresses);
  return kernel;
}
