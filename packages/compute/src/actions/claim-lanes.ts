/**
 * Turns lane vouchers into earnings, many in one transaction, and pays out in the same transaction if asked to. Only
 * the last voucher of a lane matters. Old vouchers cost their gas and change nothing.
 */
import {
  type Address,
  AssayError,
  type ChannelConfig,
  type Hex,
  type SignedLaneVoucher,
} from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import {
  encodeFunctionData,
  parseEventLogs,
  parseSignature,
  signatureToCompactSignature,
  type TransactionReceipt,
} from 'viem';
import { writeContract } from 'viem/actions';
import { transact, type WriteClient } from './transact.js';

/** Vouchers per transaction: at 17,000 gas each they stay below half of the largest transaction (EIP-7825). */
export const CLAIM_BATCH_MAX = 400;

/** A voucher with the config of its channel, of which the chain knows only the hash. */
export type LaneClaim = { readonly config: ChannelConfig; readonly signed: SignedLaneVoucher };

export type ClaimLanesParameters = {
  readonly channels: Address;
  readonly claims: readonly LaneClaim[];
  /** Pays the receivers in the same transaction. */
  readonly settle?: boolean;
};

/** A lane after a claim. */
export type ClaimedLane = {
  readonly channelId: Hex;
  readonly lane: number;
  /** Cumulative, atomic units. */
  readonly laneClaimed: bigint;
  readonly receiptRoot: Hex;
};

export type ClaimLanesResult = {
  readonly claimed: readonly ClaimedLane[];
  readonly receipt: TransactionReceipt;
};

type EncodedClaim = Pick<ChannelConfig, 'payer' | 'payerAuthorizer' | 'salt'> &
  Omit<SignedLaneVoucher['voucher'], 'channelId'> & { readonly r: Hex; readonly vs: Hex };

type Call =
  | {
      readonly functionName: 'claimLanes';
      readonly args: readonly [ChannelConfig, readonly EncodedClaim[]];
    }
  | { readonly functionName: 'settle'; readonly args: readonly [Address, Address] };

const claimCountOutOfRange = (count: number): AssayError =>
  new AssayError({
    code: 'claim_count_out_of_range',
    message: `One transaction claims 1 to ${CLAIM_BATCH_MAX} vouchers.`,
    fault: 'user',
    value: String(count),
    remedy: 'Claim in several transactions.',
  });

/** Claims every voucher, whatever receivers and tokens the channels have. */
export async function claimLanes(
  client: WriteClient,
  { channels, claims, settle = false }: ClaimLanesParameters,
): Promise<ClaimLanesResult> {
  if (claims.length === 0 || claims.length > CLAIM_BATCH_MAX) {
    throw claimCountOutOfRange(claims.length);
  }
  const receipt = await transact(client, send(client, channels, encodeCalls(claims, settle)));
  const logs = parseEventLogs({ abi: channelsAbi, eventName: 'Claimed', logs: receipt.logs });
  return { claimed: logs.map(({ args }) => args), receipt };
}

/** A single call goes alone, several in one `multicall`. */
function send(client: WriteClient, channels: Address, calls: readonly Call[]): () => Promise<Hex> {
  const { account, chain } = client;
  const contract = { address: channels, abi: channelsAbi, account, chain } as const;
  const [first] = calls;
  if (calls.length === 1 && first?.functionName === 'claimLanes') {
    return () => writeContract(client, { ...contract, ...first });
  }
  const args = [calls.map((item) => encodeFunctionData({ abi: channelsAbi, ...item }))] as const;
  return () => writeContract(client, { ...contract, functionName: 'multicall', args });
}

/** One `claimLanes` per group of channels with one payee, then one `settle` per receiver and token. */
function encodeCalls(claims: readonly LaneClaim[], settle: boolean): readonly Call[] {
  const groups = new Map<string, LaneClaim[]>();
  const payouts = new Map<string, Call>();
  for (const claim of claims) {
    const { receiver, receiverAuthorizer, token, withdrawDelay } = claim.config;
    const key = [receiver, receiverAuthorizer, token, withdrawDelay].join().toLowerCase();
    groups.set(key, [...(groups.get(key) ?? []), claim]);
    payouts.set(`${receiver},${token}`.toLowerCase(), {
      functionName: 'settle',
      args: [receiver, token],
    });
  }
  const claimCalls = [...groups.values()].map(
    (group): Call => ({
      functionName: 'claimLanes',
      args: [group[0]!.config, group.map(encodeClaim)],
    }),
  );
  return settle ? [...claimCalls, ...payouts.values()] : claimCalls;
}

function encodeClaim({ config, signed }: LaneClaim): EncodedClaim {
  const { r, yParityAndS } = signatureToCompactSignature(parseSignature(signed.signature));
  const { lane, maxClaimableAmount, receiptRoot } = signed.voucher;
  const { payer, payerAuthorizer, salt } = config;
  return {
    payer,
    payerAuthorizer,
    salt,
    lane,
    maxClaimableAmount,
    receiptRoot,
    r,
    vs: yParityAndS,
  };
}
