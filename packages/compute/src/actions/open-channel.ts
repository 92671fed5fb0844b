/**
 * Money into a channel, in one transaction. A standing allowance is used if there is one, else the payer signs a permit
 * on the spot; or anyone submits the payer's {@link DepositAuthorization}. Permits of one payer are ordered: send one
 * after another, or use authorizations, which are not.
 */
import {
  type Address,
  type ChannelConfig,
  channelId,
  type Hex,
  settlementDomain,
} from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import type { TransactionReceipt } from 'viem';
import { writeContract } from 'viem/actions';
import type { DepositAuthorization } from './authorize-deposit.js';
import { isAllowed, PERMIT_DEADLINE, signPermit } from './sign-permit.js';
import { transact, type WriteClient } from './transact.js';

export type OpenChannelParameters = {
  readonly channels: Address;
  readonly config: ChannelConfig;
  /** Atomic units. */
  readonly amount: bigint;
  /** Without it the client's account pays. */
  readonly authorization?: DepositAuthorization;
};

export type OpenChannelResult = { readonly channelId: Hex; readonly receipt: TransactionReceipt };

/** Opens a channel, or adds to one that is open: a channel is its config, and what it holds. */
export async function openChannel(
  client: WriteClient,
  parameters: OpenChannelParameters,
): Promise<OpenChannelResult> {
  const { channels, config } = parameters;
  const receipt = await transact(client, await prepareDeposit(client, parameters));
  return { channelId: channelId(settlementDomain(client.chain.id, channels), config), receipt };
}

/** Chooses the way in; signs what it needs. */
async function prepareDeposit(
  client: WriteClient,
  { channels, config, amount, authorization }: OpenChannelParameters,
): Promise<() => Promise<Hex>> {
  const { account, chain } = client;
  const contract = { address: channels, abi: channelsAbi, account, chain } as const;
  if (authorization !== undefined) {
    const { validAfter, validBefore, salt, v, r, s } = authorization;
    return () =>
      writeContract(client, {
        ...contract,
        functionName: 'depositWithAuthorization',
        args: [config, amount, validAfter, validBefore, salt, v, r, s],
      });
  }
  const { token } = config;
  if (await isAllowed(client, { token, owner: account.address, spender: channels, amount })) {
    return () =>
      writeContract(client, { ...contract, functionName: 'deposit', args: [config, amount] });
  }
  const { v, r, s } = await signPermit(client, { token, spender: channels, amount });
  return () =>
    writeContract(client, {
      ...contract,
      functionName: 'depositWithPermit',
      args: [config, amount, PERMIT_DEADLINE, v, r, s],
    });
}
