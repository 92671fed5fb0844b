/** ECDSA signatures over EIP-712 digests, by externally owned accounts. */
import type { Address, Hex } from '@assay/protocol';
import { recoverAddress } from 'viem';

/** {@link isSignedBy} or a faster one with the same answers; roles that check many signatures bring their own. */
export type CheckSignature = (
  address: Address,
  digest: Hex,
  signature: Hex,
) => boolean | Promise<boolean>;

/** True if `signature` over `digest` recovers to `address`; malformed signatures are simply not signed. */
export async function isSignedBy(address: Address, digest: Hex, signature: Hex): Promise<boolean> {
  try {
    const signer = await recoverAddress({ hash: digest, signature });
    return signer.toLowerCase() === address.toLowerCase();
  } catch {
    return false;
  }
}
