/**
 * The network's Merkle tree (packages/protocol holds the same rules and the same test vectors) over a hash that is
 * handed in:
 *
 *     leaf  = H(0x00 ‖ data)
 *     node  = H(0x01 ‖ left ‖ right)          an odd last node moves up unchanged
 *     root  = H(0x02 ‖ uint64 leafCount ‖ top)
 */

/** Any 32-byte hash; the engine does not choose one. */
export type HashFunction = (bytes: Uint8Array) => Uint8Array;

const HASH_SIZE = 32;
const NODE_PREFIX = 1;
const ROOT_PREFIX = 2;

/** Root over leaves that arrive one by one; memory grows with the logarithm of their number. */
export function merkleRootOf(leaves: Iterable<Uint8Array>, hash: HashFunction): Uint8Array {
  /** `peaks[k]` is the top of a full subtree of 2^k leaves, or undefined. */
  const peaks: (Uint8Array | undefined)[] = [];
  let count = 0;
  for (const leaf of leaves) {
    let node = hashLeafData(leaf, hash);
    let height = 0;
    for (; peaks[height] !== undefined; height++) {
      node = hashPair(peaks[height]!, node, hash);
      peaks[height] = undefined;
    }
    peaks[height] = node;
    count++;
  }
  return sealRoot(count, joinPeaks(peaks, hash), hash);
}

/** Subtrees joined from the smallest up: this is where an odd last node meets its sibling. */
function joinPeaks(peaks: readonly (Uint8Array | undefined)[], hash: HashFunction): Uint8Array {
  let top: Uint8Array | undefined;
  for (const peak of peaks) {
    if (peak !== undefined) top = top === undefined ? peak : hashPair(peak, top, hash);
  }
  return top ?? new Uint8Array(HASH_SIZE);
}

export function hashLeafData(data: Uint8Array, hash: HashFunction): Uint8Array {
  const bytes = new Uint8Array(1 + data.length);
  bytes.set(data, 1);
  return hash(bytes);
}

export function hashPair(left: Uint8Array, right: Uint8Array, hash: HashFunction): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * HASH_SIZE);
  bytes[0] = NODE_PREFIX;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_SIZE);
  return hash(bytes);
}

export function sealRoot(count: number, top: Uint8Array, hash: HashFunction): Uint8Array {
  const bytes = new Uint8Array(1 + 8 + HASH_SIZE);
  bytes[0] = ROOT_PREFIX;
  new DataView(bytes.buffer).setBigUint64(1, BigInt(count));
  bytes.set(top, 9);
  return hash(bytes);
}
