/**
 * A provider, or a gateway that bought from it, as a drawn verifier asks it for a receipt. What comes back is judged by
 * nothing but the epoch root that the provider posted.
 */
import { assertNetwork, decodeEnvelope } from '@assay/compute';
import {
  type Address,
  AssayError,
  type AuditRequest,
  computeDomain,
  encodeJson,
  fromHex,
  type Hex,
  hashReceipt,
  isHexOf,
  type ReceiptEnvelope,
  rootFromProof,
  toHex,
} from '@assay/protocol';
import { fetchJson } from './http-client.js';

/** Time that a provider has to find the receipt; it is asked again if there is time. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Levels of a tree over more receipts than an epoch has. */
const PROOF_LENGTH_MAX = 64;

export type GivenReceipt = { readonly envelope: ReceiptEnvelope; readonly proof: readonly Hex[] };

export type AuditQuestion = {
  readonly endpoint: string;
  readonly request: AuditRequest;
  readonly signature: Hex;
  /** The posted root and count of the epoch. */
  readonly posted: { readonly root: Hex; readonly count: bigint };
  /** Chain and contract of this network's receipts. */
  readonly network: { readonly chainId: number; readonly receipts: Address };
};

/** The receipt in that place of the epoch; throws `audit_answer_wrong` or `receipt_invalid` for any other. */
export async function fetchAudited(question: AuditQuestion): Promise<GivenReceipt> {
  const { endpoint, request, signature } = question;
  const answer = (await fetchJson({
    method: 'POST',
    url: `${endpoint.replace(/\/$/, '')}/v1/audits`,
    body: encodeJson({ ...request, signature }),
    timeoutMs: ANSWER_TIMEOUT_MS,
  })) as { readonly envelope?: unknown; readonly proof?: unknown };
  const given = { envelope: decodeEnvelope(answer.envelope), proof: proofOf(answer.proof) };
  // Of another network, job and signature would be read there, and no court of this one convicts for what is wrong.
  assertNetwork(given.envelope, question.network);
  if (!isPosted(question, given)) throw answerWrong(endpoint);
  return given;
}

function proofOf(value: unknown): readonly Hex[] {
  const isProof =
    Array.isArray(value) &&
    value.length <= PROOF_LENGTH_MAX &&
    value.every((node) => isHexOf(node, 32));
  if (!isProof) throw answerWrong('proof');
  return value as readonly Hex[];
}

/** The root is over digests of receipts of this network. */
function isPosted({ request, posted, network }: AuditQuestion, given: GivenReceipt): boolean {
  const domain = computeDomain(network.chainId, network.receipts);
  const root = rootFromProof({
    data: fromHex(hashReceipt(domain, given.envelope.receipt)),
    index: Number(request.index),
    count: Number(posted.count),
    proof: given.proof.map(fromHex),
  });
  return root !== undefined && toHex(root) === posted.root;
}

const answerWrong = (value: string): AssayError =>
  new AssayError({
    code: 'audit_answer_wrong',
    fault: 'peer',
    message: 'Something else was shown than the receipt that the provider posted.',
    value,
    remedy: 'Nothing can be said about this receipt; abstain.',
  });
