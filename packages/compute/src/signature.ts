/** ECDSA signatures over EIP-712 digests, by externally owned accounts. */
import type { Address, Hex } from '@assay/protocol';
import { recoverAddress } from 'viem';

/** True if `signature` over `digest` recovers to `address`; malformed signatures are simply not signed. */
export async function isSignedBy(address: Address, digest: Hex, signature: Hex): Promise<boolean> {
  try {
    const signer = await recoverAddress({ hash: digest, signature });
    return signer.toLowerCase() === address.toLowerCase();
  } catch {
    return false;
  }
}
