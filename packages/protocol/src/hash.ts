/**
 * The hashes of everything that others must be able to recompute: keccak-256 for what a contract checks, SHA-256 for
 * files. Keccak runs as a small WebAssembly module (`assembly/`): a receipt costs some forty digests of a few hundred
 * bytes, and a model thousands of a few thousand. Knows no message.
 */
import { sha256 as sha256Bytes } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { KECCAK_BASE64 } from './generated/keccak-wasm.js';

/** A hash function as it is handed to rooms that may not choose one (engine). */
export type HashFunction = (bytes: Uint8Array) => Uint8Array;

/** Bytes per permutation of keccak-256. */
const RATE = 136;

/** Permutations per call: what the module's buffer holds. */
const BLOCKS_MAX = 240;

type KeccakModule = {
  readonly memory: WebAssembly.Memory;
  readonly stateAddress: () => number;
  readonly bufferAddress: () => number;
  readonly start: () => void;
  readonly absorb: (blocks: number) => void;
  readonly finish: (size: number) => void;
};

/** The module as a function; its memory never grows, so the views stay valid. */
function keccakOf(module: KeccakModule): HashFunction {
  const { memory, start, absorb, finish } = module;
  const state = new Uint8Array(memory.buffer, module.stateAddress(), 32);
  const buffer = new Uint8Array(memory.buffer, module.bufferAddress(), BLOCKS_MAX * RATE);
  return (bytes) => {
    start();
    let offset = 0;
    while (bytes.length - offset >= RATE) {
      const blocks = Math.min(BLOCKS_MAX, Math.floor((bytes.length - offset) / RATE));
      buffer.set(bytes.subarray(offset, offset + blocks * RATE));
      absorb(blocks);
      offset += blocks * RATE;
    }
    buffer.set(offset === 0 ? bytes : bytes.subarray(offset));
    finish(bytes.length - offset);
    return state.slice();
  };
}

/** Browsers in a locked-down mode, and pages under a strict policy, have no WebAssembly: JavaScript answers there. */
function loadKeccak(): HashFunction {
  try {
    const code = Uint8Array.from(atob(KECCAK_BASE64), (character) => character.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
    return keccakOf(exports as KeccakModule);
  } catch {
    return (bytes) => keccak_256(bytes);
  }
}

/** 32 bytes of keccak-256. */
export const keccak: HashFunction = loadKeccak();

/** 32 bytes of SHA-256, for content addresses of files (fast, and an EVM precompile). */
export const sha256 = (bytes: Uint8Array): Uint8Array => sha256Bytes(bytes);

/** SHA-256 of bytes that come in parts, such as a file too large for memory. */
export function sha256Of(parts: Iterable<Uint8Array>): Uint8Array {
  const hash = sha256Bytes.create();
  for (const part of parts) hash.update(part);
  return hash.digest();
}
