/** The table of phases against the one that the contract is held to, and walks down made-up traces. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hashLeafData, leavesRoot, nodeRoot, type Trace, traceRoot } from '@assay/engine';
import { toHex } from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sourceOf } from '../dispute/source.js';
import {
  beginPlace,
  choosePlace,
  firstDifference,
  openPlace,
  type Place,
  revealAt,
  SEALED,
  sealedRoot,
} from './descent.js';
import { MOVES, PHASES, sideToMove } from './phase.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

describe('phases', () => {
  it('are those of the shared table', () => {
    const path = new URL('../../../../vectors/court/states.json', import.meta.url);
    const table = JSON.parse(readFileSync(path, 'utf8')) as { phases: unknown; moves: unknown };
    expect(table.phases).toEqual(PHASES);
    expect(table.moves).toEqual(MOVES);
  });

  it('let no dispute wait for nobody', () => {
    for (const phase of PHASES.slice(1)) {
      expect(sideToMove(phase)).toBeDefined();
      expect(MOVES.some(({ move, from }) => move === 'timeOut' && from.includes(phase))).toBe(true);
    }
    expect(sideToMove('none')).toBeUndefined();
  });
});

/** A trace of made-up leaves; `change` lies about one of them. */
function madeUpTrace(
  sizes: { readonly positions: number; readonly rows: number; readonly leaves: number },
  change?: { readonly t: number; readonly node: number; readonly leaf: number },
): Trace {
  const leavesAt = (t: number, node: number): Uint8Array[] =>
    Array.from({ length: sizes.leaves }, (_, leaf) => {
      const lies = change?.t === t && change.node === node && change.leaf === leaf;
      return Uint8Array.of(t, node, leaf, leaf >> 8, Number(lies));
    });
  const rowsAt = (t: number): Uint8Array[] =>
    Array.from({ length: sizes.rows }, (_, node) => leavesRoot(leavesAt(t, node), sha256));
  const positions = Array.from({ length: sizes.positions }, (_, t) => ({
    salt: sha256(Uint8Array.of(t)),
    root: nodeRoot(rowsAt(t), sha256),
  }));
  return { root: traceRoot(positions, sha256), positions, rows: rowsAt, leaves: leavesAt };
}

const size = (max: number) => fc.integer({ min: 1, max });

describe('a walk', () => {
  it('ends at the first leaf that differs, whatever the sizes of the trees', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ positions: size(20), rows: size(12), leaves: size(60) }),
        fc.record({ t: fc.nat(), node: fc.nat(), leaf: fc.nat() }),
        async (sizes, anywhere) => {
          const goal = {
            t: anywhere.t % sizes.positions,
            node: anywhere.node % sizes.rows,
            leaf: anywhere.leaf % sizes.leaves,
          };
          const own = sourceOf(madeUpTrace(sizes));
          const lying = madeUpTrace(sizes, goal);
          const provider = sourceOf(lying);
          let place: Place = beginPlace(toHex(lying.root));
          for (let moves = 0; ; moves++) {
            expect(moves).toBeLessThan(10);
            const shown = await revealAt(provider, place, sha256);
            if (place.level === SEALED && place.tree !== 1)
              expect(sealedRoot(shown, sha256)).toBe(place.node);
            place = openPlace(place, shown, sha256);
            const { children } = shown;
            const child = await firstDifference(own, place, { children, hash: sha256 });
            const chosen = choosePlace(place, children, child!);
            place = chosen.place;
            if (chosen.isLeaf) break;
          }
          expect(place).toMatchObject({
            position: goal.t,
            row: goal.node,
            index: BigInt(goal.leaf),
          });
          const leaf = lying.leaves(goal.t, goal.node)[goal.leaf]!;
          expect(place.node).toBe(toHex(hashLeafData(leaf, sha256)));
        },
      ),
      { numRuns: 15, seed: 20_261_123 },
    );
  });

  it('finds nothing to point at where traces are equal', async () => {
    const trace = madeUpTrace({ positions: 5, rows: 3, leaves: 4 });
    const place = beginPlace(toHex(trace.root));
    const shown = await revealAt(sourceOf(trace), place, sha256);
    const opened = openPlace(place, shown, sha256);
    const { children } = shown;
    expect(await firstDifference(sourceOf(trace), opened, { children, hash: sha256 })).toBe(
      undefined,
    );
  });
});
