/**
 * secp256k1 in WebAssembly (libsecp256k1 through tiny-secp256k1) for roles that sign and check several messages per
 * answer: about five times faster than the JavaScript that the page uses, with the same answers
 * (`signatures.test.ts`).
 */
import type { CheckSignature, Signer } from '@assay/compute';
import { type Address, fromHex, type Hex, keccak, toHex } from '@assay/protocol';
import { recover, signRecoverable } from 'tiny-secp256k1';

/** Recovery id in the last byte of an Ethereum signature: 27 or 28. */
const RECOVERY_OFFSET = 27;

/** Signs digests with `key`, which stays inside. Deterministic nonces (RFC 6979), low s. */
export function createSigner(key: Hex, address: Address): Signer {
  const secret = fromHex(key);
  return {
    address,
    sign: async ({ hash }) => {
      const { signature, recoveryId } = signRecoverable(fromHex(hash), secret);
      const bytes = new Uint8Array(65);
      bytes.set(signature);
      bytes[64] = RECOVERY_OFFSET + recoveryId;
      return toHex(bytes);
    },
  };
}

/** As `isSignedBy` of compute. */
export const isSignedBy: CheckSignature = (address, digest, signature) => {
  try {
    return recoverSigner(digest, signature) === address.toLowerCase();
  } catch {
    return false;
  }
};

function recoverSigner(digest: Hex, signature: Hex): Address | undefined {
  const bytes = fromHex(signature);
  const last = bytes[64];
  if (bytes.length !== 65 || last === undefined) return undefined;
  const recoveryId = last >= RECOVERY_OFFSET ? last - RECOVERY_OFFSET : last;
  if (recoveryId !== 0 && recoveryId !== 1) return undefined;
  const point = recover(fromHex(digest), bytes.subarray(0, 64), recoveryId, false);
  return point === null ? undefined : toHex(keccak(point.subarray(1)).subarray(12));
}
