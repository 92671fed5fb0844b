/** Shape unification for the op table: binds letters to sizes, checks them, and derives output shapes. */
import { EngineError } from './engine-error.js';

/** A size of a graph tensor: a number, or `T`, the positions of the sequence. */
export type Size = number | 'T';

/** Letters of one op application and their sizes. */
export type Bindings = Map<string, number>;

/** Checks `actual` against `pattern` and binds the letters that are still free (at most one per size). */
export function bindShape(
  pattern: readonly string[],
  actual: readonly Size[],
  bindings: Bindings,
): void {
  if (pattern.length !== actual.length) throw shapeMismatch(pattern, actual);
  pattern.forEach((expression, axis) => {
    if (!bindSize(expression, actual[axis]!, bindings)) throw shapeMismatch(pattern, actual);
  });
}

/** The sizes that `pattern` stands for; every letter must be bound. */
export function resolveShape(pattern: readonly string[], bindings: Bindings): Size[] {
  return pattern.map((expression) => {
    if (expression === 'T') return 'T';
    const { known, free } = readProduct(expression, bindings);
    if (free.length > 0) throw shapeMismatch(pattern, []);
    return known;
  });
}

function bindSize(expression: string, actual: Size, bindings: Bindings): boolean {
  if (expression === 'T' || actual === 'T') return expression === actual;
  const { known, free } = readProduct(expression, bindings);
  if (free.length === 0) return known === actual;
  if (free.length > 1 || actual % known !== 0) return false;
  bindings.set(free[0]!, actual / known);
  return true;
}

/** Splits `H*2*P` into the product of what is known and the letters that are not. */
function readProduct(expression: string, bindings: Bindings): { known: number; free: string[] } {
  let known = 1;
  const free: string[] = [];
  for (const factor of expression.split('*')) {
    const size = /^\d+$/.test(factor) ? Number(factor) : bindings.get(factor);
    if (size === undefined) free.push(factor);
    else known *= size;
  }
  return { known, free };
}

const shapeMismatch = (pattern: readonly string[], actual: readonly Size[]): EngineError =>
  new EngineError({
    code: 'shape_mismatch',
    message: `Shape [${actual.join(', ')}] does not fit [${pattern.join(', ')}].`,
    fault: 'user',
    value: actual.join('x'),
    remedy: 'Check the sizes in the model configuration against its tensors.',
  });
