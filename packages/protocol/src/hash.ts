/** The hash of everything that a contract must be able to recompute: keccak-256. */

import { sha256 as sha256Bytes } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

/** 32 bytes of keccak-256. */
export const keccak = (bytes: Uint8Array): Uint8Array => keccak_256(bytes);

/** 32 bytes of SHA-256, for content addresses of files (fast, and an EVM precompile). */
export const sha256 = (bytes: Uint8Array): Uint8Array => sha256Bytes(bytes);

/** A hash function as it is handed to rooms that may not choose one (engine). */
export type HashFunction = (bytes: Uint8Array) => Uint8Array;
