// Duty `deadlines`: finds open jobs whose deadline has passed, by the projection's index; reads each from the stream, and
// publishes `expired` for those whose execution has not ended.
import type { JanitorRow, RowPlace } from '@trellis/store-postgres';
import { z } from 'zod';
import { planDeadline } from '../plan/plan-job.ts';
import { type JanitorPorts, Tally } from '../ports.ts';
import { changeJob } from '../stream/change-job.ts';
import type { Duty, Pass, PassResult } from './duty.ts';

/** Jobs that earlier passes handled, and the sequence that the projection must reach to show it. */
const State = z.object({
  streamCreated: z.string(),
  shownAt: z.int(),
  handled: z.object({ before: z.string(), projectedUpTo: z.int() }),
});
type State = z.infer<typeof State>;

export function expireDeadlines(ports: JanitorPorts): Duty {
  return { name: 'deadlines', run: (pass) => run(ports, pass) };
}

async function run(ports: JanitorPorts, pass: Pass): Promise<PassResult> {
  const { rows, limit, settings } = ports;
  const tally = new Tally('overdue', 'expired');
  const projected = await rows.projectedUpTo();
  if (projected?.streamCreated === undefined) return { counts: tally.counts };
  const { streamCreated, position } = projected;
  const known = State.safeParse(pass.state).data;
  // While the projection lags, its rows do not show what was published: skip those jobs.
  const before = known?.streamCreated === streamCreated && position < known.shownAt ? known : undefined;
  const now = new Date(ports.now()).toISOString();
  let shownAt = before?.shownAt ?? 0;
  let after: RowPlace<string> | undefined;
  for (let more = true; more && !pass.signal.aborted; ) {
    const page = await rows.overdue(now, after, settings.janitorPageSize, before?.handled);
    tally.add('overdue', page.length);
    const sequences = await Promise.all(page.map((row) => limit(() => expire(ports, pass, row, tally))));
    shownAt = Math.max(shownAt, ...sequences);
    const last = page.at(-1);
    more = page.length === settings.janitorPageSize;
    if (last?.deadline !== undefined) after = { key: last.deadline, id: last.id };
  }
  if (pass.signal.aborted) return { counts: tally.counts };
  const state: State = { streamCreated, shownAt, handled: { before: now, projectedUpTo: position } };
  return { counts: tally.counts, state };
}

/** @returns the sequence of the published event, or 0 */
async function expire(
  { stream, settings, now }: JanitorPorts,
  pass: Pass,
  row: JanitorRow,
  tally: Tally,
): Promise<number> {
  if (pass.signal.aborted) return 0;
  const { instanceId } = settings;
  const outcome = await changeJob(stream, row, (view) => planDeadline(view, { now: now(), instanceId }), {
    operation: 'expire',
    signal: pass.signal,
    // An active job that logs all the time must expire too: the stream's order decides.
    insistAs: (_event, { job }) => `${row.id}:expired:${job?.originSequence}`,
  });
  if (outcome.kind === 'left') {
    tally.add(outcome.why);
    return 0;
  }
  tally.add('expired');
  const { id: jobId, service, type: jobType } = row;
  const { traceId, requestId } = outcome.event.context;
  pass.log.info(
    { jobId, service, jobType, traceId, requestId, deadline: row.deadline },
    'the job exceeded its deadline',
  );
  return outcome.sequence;
}
