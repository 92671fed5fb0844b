/** Nouns of the compute market that are not messages (those are in `protocol`). */
import type { Address, Hex, ModelInfo } from '@assay/protocol';

/** A provider's standing statement of what it serves and for how much, as published on chain. */
export type Offer = {
  readonly offerId: Hex;
  readonly provider: Address;
  readonly endpoint: string;
  readonly modelId: Hex;
  /** Atomic units per million input tokens. */
  readonly inputPrice: bigint;
  /** Atomic units per million output tokens. */
  readonly outputPrice: bigint;
  readonly tier: number;
};

/** Contracts and chain that messages are bound to. */
export type Market = {
  readonly chainId: number;
  /** Settlement contract: channels and vouchers. */
  readonly channels: Address;
  /** Verifying contract of jobs and receipts. */
  readonly receipts: Address;
  /** Payment token. */
  readonly token: Address;
  /** Where providers' earnings wait: channels pay the vault of a provider. */
  readonly vaults: Address;
};

/** Signs EIP-712 digests; a viem `LocalAccount` fits. The key never leaves it. */
export type Signer = {
  readonly address: Address;
  readonly sign: (parameters: { hash: Hex }) => Promise<Hex>;
};

export type { ModelInfo };
