/**
 * Ethereum signatures for roles, which sign and check several messages per answer: the answers of the JavaScript that
 * the page uses (`signatures.test.ts`), many times faster. The curve itself is in `curve.ts`.
 */
import type { CheckSignature, Signer } from '@assay/compute';
import { type Address, fromHex, type Hex, keccak, toHex } from '@assay/protocol';
import { type Curve, curve as fastest, type RecoverableSignature } from './curve.js';

/** Recovery id in the last byte of an Ethereum signature: 27 or 28. */
const RECOVERY_OFFSET = 27;

/** Signs digests with `key`, which stays inside. Deterministic nonces (RFC 6979), low s. */
export function createSigner(key: Hex, address: Address, curve: Curve = fastest): Signer {
  const secret = fromHex(key);
  return {
    address,
    sign: async ({ hash }) => {
      const { bytes, recoveryId } = curve.sign(fromHex(hash), secret);
      const signature = new Uint8Array(65);
      signature.set(bytes);
      signature[64] = RECOVERY_OFFSET + recoveryId;
      return toHex(signature);
    },
  };
}

/** As `isSignedBy` of compute. */
export const isSignedBy: CheckSignature = (address, digest, signature) =>
  isSignedOn(fastest, { address, digest, signature });

type Signed = { readonly address: Address; readonly digest: Hex; readonly signature: Hex };

/** {@link isSignedBy} on a curve that is named. */
export function isSignedOn(curve: Curve, { address, digest, signature }: Signed): boolean {
  const parts = partsOf(signature);
  const point = parts && curve.recover(fromHex(digest), parts);
  if (point === undefined) return false;
  return toHex(keccak(point.subarray(1)).subarray(12)) === address.toLowerCase();
}

/** Undefined for text that is no signature. */
function partsOf(signature: Hex): RecoverableSignature | undefined {
  if (!/^0x[0-9a-f]{130}$/i.test(signature)) return undefined;
  const bytes = fromHex(signature);
  const last = bytes[64]!;
  const recoveryId = last >= RECOVERY_OFFSET ? last - RECOVERY_OFFSET : last;
  if (recoveryId !== 0 && recoveryId !== 1) return undefined;
  return { bytes: bytes.subarray(0, 64), recoveryId };
}
