/** What a verifier sends to the audits contract for one place, each only if the chain does not show it yet. */
import {
  commitReport,
  type PostedReceipt,
  reportCommitment,
  revealReport,
  settleAudit,
} from '@assay/compute';
import type { AuditRecord } from './audit-book.js';
import { type AuditReport, placeKey } from './audit-follower.js';
import { nameOf, type OwnPlace, placeOf } from './audit-places.js';
import type { Desk, Moment } from './auditor.js';

/** Between two tries to settle what was not decided yet, in seconds: the court or the clock decides meanwhile. */
const SETTLE_SECONDS = 5n;

/** Seconds after the last moment of an audit in which it is still settled; nothing changes in them any more. */
const AFTER_SECONDS = 60n;

const reportOf = ({ epoch, index, place }: OwnPlace): AuditReport | undefined =>
  epoch.reports.get(placeKey(index, place));

export async function commitRecord(
  desk: Desk,
  place: OwnPlace,
  record: AuditRecord,
): Promise<void> {
  if (reportOf(place) !== undefined) return;
  const { access } = desk;
  const { finding, root, salt } = record;
  const { beacon } = place.epoch.draw;
  const holder = access.write.account.address;
  const commitment = reportCommitment({
    beacon,
    place: placeOf(place),
    finding,
    root,
    holder,
    salt,
  });
  const { audits } = access.deployment.addresses;
  await commitReport(access.write, { audits, place: placeOf(place), commitment });
}

export async function revealRecord(
  desk: Desk,
  place: OwnPlace,
  record: AuditRecord,
): Promise<void> {
  if (reportOf(place)?.stage !== 'committed') return;
  const { access } = desk;
  const { finding, root, salt } = record;
  const { audits } = access.deployment.addresses;
  await revealReport(access.write, { audits, place: placeOf(place), finding, root, salt });
}

/** Brings to court what would be convicted: wrong tokens, or a provider that stands by another trace than ours. */
export function prosecuteIfWrong(desk: Desk, place: OwnPlace, record: AuditRecord): void {
  if (record.given === undefined || record.finding === 'abstained') return;
  const answer = place.epoch.answers.get(place.index);
  const isOtherTrace = answer !== undefined && answer.root !== record.root;
  if (record.finding === 'wrong' || isOtherTrace) desk.prosecute(record.given.envelope);
}

/** Refusals that say only that it is too early, or too late because somebody else was faster. */
const NOTHING_NEW = new Set(['nothing_to_settle', 'settle_not_ready']);

export async function settleRecord(
  desk: Desk,
  place: OwnPlace,
  { record, ends, now }: Moment & { readonly record: AuditRecord },
): Promise<void> {
  if (isOver(desk, place, { ends, now })) return desk.book.remove(nameOf(place));
  if (record.given === undefined || isSettled(desk, place)) return;
  const { provider, epoch } = place.epoch;
  const key = `${provider}:${epoch}:${place.index}`;
  if (now < (desk.settleAt.get(key) ?? 0n)) return;
  desk.settleAt.set(key, now + SETTLE_SECONDS);
  const { envelope, proof } = record.given;
  const posted: PostedReceipt = {
    provider,
    epoch,
    index: place.index,
    receipt: envelope.receipt,
    proof,
  };
  const { audits } = desk.access.deployment.addresses;
  try {
    await settleAudit(desk.access.write, { audits, posted });
  } catch (error) {
    if (!NOTHING_NEW.has(String((error as { code?: unknown }).code))) throw error;
  }
}

/** True if every place of the audit has its outcome. */
function isSettled({ terms }: Desk, { epoch, index }: OwnPlace): boolean {
  for (let place = 0; place < terms.places; place++)
    if (epoch.reports.get(placeKey(index, place))?.stage !== 'settled') return false;
  return true;
}

/** Whether nothing is left to do at a place. */
export function isOver(desk: Desk, place: OwnPlace, { ends, now }: Moment): boolean {
  if (now <= ends.reveal) return false;
  return now > ends.dispute + AFTER_SECONDS || isSettled(desk, place);
}
