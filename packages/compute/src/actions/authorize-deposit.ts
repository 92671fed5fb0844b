/**
 * A deposit that somebody else submits: the payer signs an EIP-3009 authorization whose nonce names the channel, as
 * x402 does, so it needs no coin for gas and whoever submits it can fund no other channel.
 */
import { type Address, type ChannelConfig, channelId, settlementDomain } from '@assay/protocol';
import { encodeAbiParameters, keccak256 } from 'viem';
import { signTypedData } from 'viem/actions';
import { readTokenDomain, type SplitSignature, splitSignature } from './sign-permit.js';
import type { WriteClient } from './transact.js';

const RECEIVE_TYPES = {
  ReceiveWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;

/** A payer's signed order to move `amount` into one channel, once. */
export type DepositAuthorization = SplitSignature & {
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly salt: bigint;
};

export type AuthorizeDepositParameters = {
  readonly channels: Address;
  readonly config: ChannelConfig;
  /** Atomic units. */
  readonly amount: bigint;
  /** Unix seconds by the chain's clock, exclusive. */
  readonly validBefore: bigint;
  /** Any number that no other deposit into this channel used. */
  readonly salt: bigint;
};

/** Signs the order with the client's account, which must be the payer. */
export async function authorizeDeposit(
  client: WriteClient,
  { channels, config, amount, validBefore, salt }: AuthorizeDepositParameters,
): Promise<DepositAuthorization> {
  const id = channelId(settlementDomain(client.chain.id, channels), config);
  const nonce = keccak256(
    encodeAbiParameters([{ type: 'bytes32' }, { type: 'uint256' }], [id, salt]),
  );
  const signature = await signTypedData(client, {
    account: client.account,
    domain: await readTokenDomain(client, config.token),
    types: RECEIVE_TYPES,
    primaryType: 'ReceiveWithAuthorization',
    message: {
      from: config.payer,
      to: channels,
      value: amount,
      validAfter: 0n,
      validBefore,
      nonce,
    },
  });
  return { ...splitSignature(signature), validAfter: 0n, validBefore, salt };
}
