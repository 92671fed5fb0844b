/**
 * secp256k1 as roles use it: libsecp256k1 compiled for this machine where npm brings a binary of it (`secp256k1`, an
 * optional dependency), else the same library in WebAssembly (`tiny-secp256k1`), five times slower. Both give the same
 * bytes (`signatures.test.ts`). Knows bytes only: no text, no addresses.
 */
import { createRequire } from 'node:module';
import * as tiny from 'tiny-secp256k1';

export type Curve = {
  readonly name: 'native' | 'wasm';
  /** 64 bytes r ‖ s with low s, deterministic (RFC 6979), and the id that recovery needs. */
  readonly sign: (digest: Uint8Array, secret: Uint8Array) => RecoverableSignature;
  /** Uncompressed key, 65 bytes; undefined where there is none. */
  readonly recover: (digest: Uint8Array, signature: RecoverableSignature) => Uint8Array | undefined;
};

export type RecoverableSignature = {
  readonly bytes: Uint8Array;
  /** 0 or 1; the ids 2 and 3 are valid on the curve and refused by Ethereum. */
  readonly recoveryId: 0 | 1;
};

/** What we use of the package; it brings no types. */
type NativeAddon = {
  readonly ecdsaSign: (
    digest: Uint8Array,
    secret: Uint8Array,
  ) => { readonly signature: Uint8Array; readonly recid: number };
  readonly ecdsaRecover: (
    signature: Uint8Array,
    recoveryId: number,
    digest: Uint8Array,
    compressed: boolean,
  ) => Uint8Array;
};

export const wasmCurve: Curve = {
  name: 'wasm',
  sign: (digest, secret) => {
    const { signature, recoveryId } = tiny.signRecoverable(digest, secret);
    return { bytes: signature, recoveryId: recoveryId as 0 | 1 };
  },
  recover: (digest, { bytes, recoveryId }) => {
    try {
      return tiny.recover(digest, bytes, recoveryId, false) ?? undefined;
    } catch {
      return undefined;
    }
  },
};

const nativeCurve = (addon: NativeAddon): Curve => ({
  name: 'native',
  sign: (digest, secret) => {
    const { signature, recid } = addon.ecdsaSign(digest, secret);
    return { bytes: signature, recoveryId: recid as 0 | 1 };
  },
  recover: (digest, { bytes, recoveryId }) => {
    try {
      return addon.ecdsaRecover(bytes, recoveryId, digest, false);
    } catch {
      return undefined;
    }
  },
});

/** The binary, if it is there and loads; never the package's own fallback, which is another implementation. */
export function loadNativeCurve(): Curve | undefined {
  try {
    const require = createRequire(import.meta.url);
    return nativeCurve(require('secp256k1/bindings.js') as NativeAddon);
  } catch {
    return undefined;
  }
}

/** The fastest that this machine has. */
export const curve: Curve = loadNativeCurve() ?? wasmCurve;
