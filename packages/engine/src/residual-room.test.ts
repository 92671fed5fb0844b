import { describe, expect, it } from 'vitest';
import type { EngineModel } from './engine-model.js';
import { referenceBackend } from './reference/session.js';
import { measureResidualRoom, withResidualBits } from './residual-room.js';
import { randomEngineModel } from './testing/random-model.js';
import { createWasmBackend } from './wasm/wasm-backend.js';

const backend = createWasmBackend();
const plain = randomEngineModel({ seed: 61 });

/** The model with `factor` powers of two more in what its first layer adds to the residual stream. */
function louder(model: EngineModel, doublings: number): EngineModel {
  const name = 'blk.0.ffn_down.weight';
  const matrix = model.matrices.get(name)!;
  const loud = { ...matrix, exponent: matrix.exponent + doublings };
  return { ...model, matrices: new Map(model.matrices).set(name, loud) };
}

describe('measureResidualRoom', () => {
  it('finds room in a model of the usual size, in one pass', () => {
    let sessions = 0;
    const counting = {
      ...backend,
      createSession: (model: EngineModel) => {
        sessions++;
        return backend.createSession(model);
      },
    };
    expect(measureResidualRoom({ backend: counting, model: plain })).toEqual({
      residualBits: 16,
      saturationCount: 0,
      roomBits: 2,
      suggestedBits: 16,
      positionCount: 64,
    });
    expect(sessions).toBe(1);
  });

  it('loses a bit of room with every doubling, and suggests bits that have room', () => {
    const rooms = Array.from({ length: 24 }, (_, doublings) =>
      measureResidualRoom({ backend, model: louder(plain, doublings), tokens: [1, 2, 3] }),
    );
    const bits = rooms.map(({ roomBits }) => roomBits);
    expect(bits[0]).toBe(2);
    expect(bits.at(-1)).toBeLessThan(-2);
    for (let i = 1; i < bits.length; i++) {
      const step = bits[i - 1]! - bits[i]!;
      expect(step === 0 || step === 1, `${bits}`).toBe(true);
    }
    rooms.forEach(({ roomBits, saturationCount, suggestedBits }, doublings) => {
      expect(saturationCount > 0).toBe(roomBits < 0);
      if (suggestedBits === undefined) return;
      const model = withResidualBits(louder(plain, doublings), suggestedBits);
      const { roomBits: room } = measureResidualRoom({ backend, model, tokens: [1, 2, 3] });
      expect(room).toBe(2);
    });
    expect(rooms.some(({ suggestedBits }) => suggestedBits === undefined)).toBe(true);
  });

  it('sees the clamped elements that the reference sees', () => {
    const model = louder(plain, 18);
    const session = referenceBackend.createSession(model);
    session.forward([1, 2, 3], { logits: 'none' });
    const room = measureResidualRoom({ backend, model, tokens: [1, 2, 3] });
    expect(session.saturationCount).toBeGreaterThan(0);
    expect(room.saturationCount).toBe(session.saturationCount);
  });
});

describe('withResidualBits', () => {
  it('changes the grid and nothing else', () => {
    const model = withResidualBits(plain, 14);
    const again = randomEngineModel({ seed: 61, config: { residualBits: 14 } });
    expect(model.graph).toEqual(again.graph);
    expect(model.config).toEqual(again.config);
    expect(model.matrices).toBe(plain.matrices);
  });
});
