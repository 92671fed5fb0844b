/**
 * What each event of the audits does to rows: the index's side of `contracts/dispute/IAudits.sol`, pure. Numbers of
 * findings and outcomes are those of the contract; what they mean is said where they are shown.
 */
import { drawId, type EventOf, lower, seatId } from './events.js';
import type { AuditRow, ReportRow } from './schema.js';
import { rowKey, type State } from './state.js';

type AuditEvent = EventOf<'audits'>;
type Placed = Named<'ReportCommitted' | 'ReportRevealed' | 'ReportSettled'>;
type Audited = Placed | Named<'AuditAnswered' | 'PlantOpened'>;
type Named<N extends AuditEvent['eventName']> = Extract<AuditEvent, { eventName: N }>;

/** Applies one event; announcements of plants say nothing yet, so they leave no row. */
export function applyAudits(state: State, event: AuditEvent): void {
  const name = event.eventName;
  if (name === 'SeatTaken' || name === 'SeatLeaving' || name === 'SeatLeft')
    applySeat(state, event);
  else if (name === 'EpochDrawn') applyDraw(state, event);
  else if (name !== 'PlantCommitted') {
    setAudit(state, event, auditChange(event));
    if ('place' in event.args) setReport(state, event as Placed, reportChange(event as Placed));
  }
}

function auditChange(event: Audited): Partial<AuditRow> {
  const { args } = event;
  if (!('jobId' in args)) return {};
  const job = { job_id: args.jobId };
  if (event.eventName === 'AuditAnswered') return { ...job, root: event.args.root };
  return event.eventName === 'PlantOpened' ? { ...job, planted: 1 } : job;
}

function reportChange(event: Placed): Partial<ReportRow> {
  if (event.eventName === 'ReportCommitted') return {};
  const { finding } = event.args;
  if (event.eventName === 'ReportRevealed') return { finding, root: event.args.root };
  const { outcome, amount } = event.args;
  return { finding, outcome, amount: amount.toString() };
}

const SEAT_STATES = { SeatTaken: 0, SeatLeaving: 1, SeatLeft: 2 } as const;

function applySeat(state: State, event: Named<keyof typeof SEAT_STATES>): void {
  const { seat, holder } = event.args;
  const seat_id = seatId(seat);
  state.seats.set(seat_id, {
    seat_id,
    seat,
    holder: lower(holder),
    state: SEAT_STATES[event.eventName],
    ready_at_seconds: event.eventName === 'SeatLeaving' ? Number(event.args.readyAt) : 0,
    returned: event.eventName === 'SeatLeft' ? event.args.amount.toString() : '0',
    block_number: event.blockNumber,
  });
}

function applyDraw(state: State, event: Named<'EpochDrawn'>): void {
  const { provider, epoch, draw } = event.args;
  const draw_id = drawId(event.args);
  state.draws.set(draw_id, {
    draw_id,
    provider: lower(provider),
    epoch: epoch.toString(),
    beacon: draw.beacon,
    receipt_count: draw.count.toString(),
    seat_count: draw.seatCount,
    posted_block: Number(draw.postedBlock),
    drawn_at_seconds: Number(draw.drawnAt),
    block_number: event.blockNumber,
  });
}

/** A seat that kept silent is met at its settlement first. */
function setReport(state: State, event: Placed, change: Partial<ReportRow>): void {
  const { index, place, holder } = event.args;
  const draw_id = drawId(event.args);
  const receipt_index = index.toString();
  const key = rowKey(draw_id, receipt_index, place);
  const row = state.reports.get(key) ?? {
    ...{ draw_id, receipt_index, place, holder: lower(holder) },
    ...{ finding: 0, root: '', outcome: 0, amount: '0' },
  };
  state.reports.set(key, { ...row, ...change, block_number: event.blockNumber });
}

function setAudit(state: State, event: Audited, change: Partial<AuditRow>): void {
  const draw_id = drawId(event.args);
  const receipt_index = event.args.index.toString();
  const key = rowKey(draw_id, receipt_index);
  const row = state.audits.get(key) ?? {
    ...{ draw_id, receipt_index },
    ...{ job_id: '', root: '', planted: 0 },
  };
  state.audits.set(key, { ...row, ...change, block_number: event.blockNumber });
}
