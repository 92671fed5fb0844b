/**
 * Transactions of the court, one function per function of contracts/dispute/ICourt.sol, where each is explained. All
 * resolve with the receipt of the block that has them, and throw the contract's own refusals by name.
 */
import type { Address, Hex, Receipt } from '@assay/protocol';
import { courtAbi } from '@assay/protocol/abi';
import type { ContractFunctionArgs, TransactionReceipt } from 'viem';
import { readContract, writeContract } from 'viem/actions';
import type {
  CourtClaim,
  CourtModel,
  CourtProof,
  CourtTerms,
  CourtVerdict,
  Dispute,
  SignedTrace,
} from '../court/claim.js';
import type { Reveal } from '../court/descent.js';
import { call, type ReadClient, transact, type WriteClient } from './transact.js';

type CourtFunction =
  | 'open'
  | 'answer'
  | 'reveal'
  | 'choose'
  | 'show'
  | 'again'
  | 'timeOut'
  | 'commit'
  | 'convict'
  | 'convictOpened'
  | 'convictOfTwoReceipts'
  | 'convictOfTwoTraces'
  | 'claimBounty'
  | 'release'
  | 'sweep'
  | 'burn'
  | 'returnBond';

/** A court and what one of its functions takes. */
type At<Parameters> = Parameters & { readonly court: Address };

/** No commitment was made. */
const NO_SALT: Hex = `0x${'00'.repeat(32)}`;

function move<Name extends CourtFunction>(
  client: WriteClient,
  options: {
    readonly court: Address;
    readonly functionName: Name;
    readonly args: ContractFunctionArgs<typeof courtAbi, 'nonpayable' | 'payable', Name>;
    readonly value?: bigint;
  },
): Promise<TransactionReceipt> {
  const { court, functionName, args, value } = options;
  const { account, chain } = client;
  const request = { address: court, abi: courtAbi, functionName, args, account, chain };
  return transact(client, () =>
    writeContract(client, {
      ...request,
      ...(value === undefined ? {} : { value }),
    } as unknown as Parameters<typeof writeContract>[1]),
  );
}

export const openDispute = (
  client: WriteClient,
  { court, claim, bond }: At<{ readonly claim: CourtClaim; readonly bond: bigint }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'open', args: [claim], value: bond });

export const answerDispute = (
  client: WriteClient,
  {
    court,
    dispute,
    root,
    shown,
  }: At<{ readonly dispute: Dispute; readonly root: Hex; readonly shown: Reveal }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'answer', args: [dispute, root, shown] });

export const revealNodes = (
  client: WriteClient,
  { court, dispute, shown }: At<{ readonly dispute: Dispute; readonly shown: Reveal }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'reveal', args: [dispute, shown] });

export const chooseNode = (
  client: WriteClient,
  {
    court,
    dispute,
    children,
    child,
  }: At<{ readonly dispute: Dispute; readonly children: readonly Hex[]; readonly child: number }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'choose', args: [dispute, children, BigInt(child)] });

export const showLeaf = (
  client: WriteClient,
  { court, dispute, data }: At<{ readonly dispute: Dispute; readonly data: Hex }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'show', args: [dispute, data] });

export const askAgain = (
  client: WriteClient,
  { court, dispute }: At<{ readonly dispute: Dispute }>,
): Promise<TransactionReceipt> => move(client, { court, functionName: 'again', args: [dispute] });

export const timeOutDispute = (
  client: WriteClient,
  { court, dispute, claim }: At<{ readonly dispute: Dispute; readonly claim: CourtClaim }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'timeOut', args: [dispute, claim] });

/** `commitment`: `proofCommitment` of a proof that the caller will send in a later block. */
export const commitProof = (
  client: WriteClient,
  { court, commitment }: At<{ readonly commitment: Hex }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'commit', args: [commitment] });

export const convict = (
  client: WriteClient,
  {
    court,
    claim,
    trace,
    model,
    proof,
    salt = NO_SALT,
  }: At<{
    readonly claim: CourtClaim;
    readonly trace: SignedTrace;
    readonly model: CourtModel;
    readonly proof: CourtProof;
    readonly salt?: Hex;
  }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'convict', args: [claim, trace, model, proof, salt] });

export const convictOpened = (
  client: WriteClient,
  {
    court,
    dispute,
    claim,
    model,
    proof,
  }: At<{
    readonly dispute: Dispute;
    readonly claim: CourtClaim;
    readonly model: CourtModel;
    readonly proof: CourtProof;
  }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'convictOpened', args: [dispute, claim, model, proof] });

export const convictOfTwoReceipts = (
  client: WriteClient,
  {
    court,
    claim,
    second,
    signature,
    salt = NO_SALT,
  }: At<{
    readonly claim: CourtClaim;
    readonly second: Receipt;
    readonly signature: Hex;
    readonly salt?: Hex;
  }>,
): Promise<TransactionReceipt> =>
  move(client, {
    court,
    functionName: 'convictOfTwoReceipts',
    args: [claim, second, signature, salt],
  });

export const convictOfTwoTraces = (
  client: WriteClient,
  {
    court,
    claim,
    first,
    second,
    salt = NO_SALT,
  }: At<{
    readonly claim: CourtClaim;
    readonly first: SignedTrace;
    readonly second: SignedTrace;
    readonly salt?: Hex;
  }>,
): Promise<TransactionReceipt> =>
  move(client, {
    court,
    functionName: 'convictOfTwoTraces',
    args: [claim, first, second, salt],
  });

export const claimBounty = (
  client: WriteClient,
  { court, verdict, salt }: At<{ readonly verdict: CourtVerdict; readonly salt: Hex }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'claimBounty', args: [verdict, salt] });

export const releaseVerdict = (
  client: WriteClient,
  { court, verdict }: At<{ readonly verdict: CourtVerdict }>,
): Promise<TransactionReceipt> => move(client, { court, functionName: 'release', args: [verdict] });

/** What has come into the vault of a convicted provider since its conviction. */
export const sweepVault = (
  client: WriteClient,
  { court, verdict }: At<{ readonly verdict: CourtVerdict }>,
): Promise<TransactionReceipt> => move(client, { court, functionName: 'sweep', args: [verdict] });

export const burnRemainder = (
  client: WriteClient,
  { court, provider }: At<{ readonly provider: Address }>,
): Promise<TransactionReceipt> => move(client, { court, functionName: 'burn', args: [provider] });

export const returnBond = (
  client: WriteClient,
  { court, dispute }: At<{ readonly dispute: Dispute }>,
): Promise<TransactionReceipt> =>
  move(client, { court, functionName: 'returnBond', args: [dispute] });

export const readCourtTerms = (client: ReadClient, court: Address): Promise<CourtTerms> =>
  call(() => readContract(client, { address: court, abi: courtAbi, functionName: 'terms' }));
