/** Random cases of one kernel until there are enough of them, or one differs. */
import type { KernelBench } from './kernel-bench.js';
import { KERNEL_CASES, type KernelCaseName } from './kernel-cases.js';

export type FuzzResult = {
  /** Rows that were compared. */
  readonly cases: number;
  /** Calls of the kernel; each has the next seed. */
  readonly calls: number;
  /** Kernel, seed and numbers of the first difference. */
  readonly difference: string | undefined;
};

export function countCases(
  bench: KernelBench,
  options: { readonly name: KernelCaseName; readonly cases: number; readonly seed: number },
): FuzzResult {
  const { name, seed } = options;
  let cases = 0;
  for (let calls = 0; ; calls++) {
    if (cases >= options.cases) return { cases, calls, difference: undefined };
    bench.reset();
    const outcome = KERNEL_CASES[name](bench, (seed + calls) >>> 0);
    cases += outcome.cases;
    if (outcome.difference !== undefined) {
      const difference = `${name} seed ${seed + calls}: ${outcome.difference}`;
      return { cases, calls: calls + 1, difference };
    }
  }
}
