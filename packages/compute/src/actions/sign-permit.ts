/**
 * Permission for a contract to take money once, by signature instead of a transaction (ERC-2612). Our contracts take
 * only the money of whoever calls them, so a permit that others see is of no use to them, and needs no expiry.
 */
import type { Address, Hex } from '@assay/protocol';
import { testDollarAbi } from '@assay/protocol/abi';
import { parseSignature } from 'viem';
import { readContract, signTypedData } from 'viem/actions';
import { call, type ReadClient, type WriteClient } from './transact.js';

/** 2100-01-01, Unix seconds: five bytes of calldata where "never" would be 32. */
export const PERMIT_DEADLINE = 4_102_444_800n;

/** A signature as the token standards want it. */
export type SplitSignature = { readonly v: number; readonly r: Hex; readonly s: Hex };

/** Domain of a token's own messages. */
export type TokenDomain = {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: Address;
};

const PERMIT_TYPES = {
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const;

export function splitSignature(signature: Hex): SplitSignature {
  const { r, s, yParity } = parseSignature(signature);
  return { r, s, v: 27 + yParity };
}

/** Name and version that the token signs under, as it says itself. */
export async function readTokenDomain(client: WriteClient, token: Address): Promise<TokenDomain> {
  const contract = { address: token, abi: testDollarAbi } as const;
  const [name, version] = await call(() =>
    Promise.all([
      readContract(client, { ...contract, functionName: 'name' }),
      readContract(client, { ...contract, functionName: 'version' }),
    ]),
  );
  return { name, version, chainId: client.chain.id, verifyingContract: token };
}

/** True if `spender` may already take `amount` from `owner`. */
export async function isAllowed(
  client: ReadClient,
  options: {
    readonly token: Address;
    readonly owner: Address;
    readonly spender: Address;
    readonly amount: bigint;
  },
): Promise<boolean> {
  const allowance = await call(() =>
    readContract(client, {
      address: options.token,
      abi: testDollarAbi,
      functionName: 'allowance',
      args: [options.owner, options.spender],
    }),
  );
  return allowance >= options.amount;
}

export type SignPermitParameters = {
  readonly token: Address;
  readonly spender: Address;
  readonly amount: bigint;
};

/** Signs a permit with the client's account. */
export async function signPermit(
  client: WriteClient,
  { token, spender, amount }: SignPermitParameters,
): Promise<SplitSignature> {
  const owner = client.account.address;
  const contract = { address: token, abi: testDollarAbi } as const;
  const [domain, nonce] = await Promise.all([
    readTokenDomain(client, token),
    call(() => readContract(client, { ...contract, functionName: 'nonces', args: [owner] })),
  ]);
  const signature = await signTypedData(client, {
    account: client.account,
    domain,
    types: PERMIT_TYPES,
    primaryType: 'Permit',
    message: { owner, spender, value: amount, nonce, deadline: PERMIT_DEADLINE },
  });
  return splitSignature(signature);
}
