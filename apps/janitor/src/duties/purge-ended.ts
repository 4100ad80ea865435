// Duty `retention`: removes the events of jobs that ended longer ago than the operator keeps their state, once both
// pipelines have read them; then their rows. Without a configured retention it does nothing.

import { sleep } from '@trellis/async';
import { jobFilter } from '@trellis/contracts';
import type { JanitorRow, RowPlace } from '@trellis/store-postgres';
import { z } from 'zod';
import { actOnJob } from '../janitor-telemetry.ts';
import { isProjectionOf, isRetentionOver, mayPurge, retentionCutoff } from '../plan/plan-stream.ts';
import { type JanitorPorts, Tally } from '../ports.ts';
import { historyPosition } from '../stream/history-position.ts';
import type { Duty, Pass, PassResult } from './duty.ts';
import { removeGone } from './remove-stale-rows.ts';

/** Jobs are walked by age in rounds; the next pass continues after this one. */
const State = z.object({ after: z.object({ key: z.string(), id: z.string() }).optional() });

/** Most pages of one pass. */
const MAX_PAGES = 10;

export function purgeEnded(ports: JanitorPorts): Duty {
  return { name: 'retention', run: (pass) => run(ports, pass) };
}

interface Bounds {
  streamCreated: string;
  passedUpTo: number;
  duplicateWindowMs: number;
}

async function run(ports: JanitorPorts, pass: Pass): Promise<PassResult> {
  const { rows, settings } = ports;
  const cutoff = retentionCutoff(settings.janitorRetention, ports.now());
  if (cutoff === undefined) return { counts: {} };
  const bounds = await readBounds(ports);
  if (bounds === undefined) return { counts: { pipelinesUnknown: 1 } };
  const tally = new Tally('purged', 'removed');
  let after: RowPlace<string> | undefined = State.safeParse(pass.state).data?.after;
  let ended = false;
  for (let pages = 0; pages < MAX_PAGES && !ended && !pass.signal.aborted; pages++) {
    const page = await rows.rowsByAge(cutoff, after, settings.janitorPageSize);
    await purgePage(ports, pass, page, bounds, tally);
    const last = page.at(-1);
    ended = page.length < settings.janitorPageSize || !last;
    after = ended || !last ? undefined : { key: last.createdAt, id: last.id };
  }
  if (tally.counts.purged) pass.log.info({ ...tally.counts }, 'ended jobs were removed from the stream');
  // Only while there is something to remove does the next pass follow at once: jobs that stay need no hurry.
  return { counts: tally.counts, state: { after }, more: !ended && (tally.counts.purged ?? 0) > 0 };
}

/** The sequence up to which a purge is safe; undefined when a pipeline never ran, or belongs to another stream. */
async function readBounds({ rows, stream, settings }: JanitorPorts): Promise<Bounds | undefined> {
  const info = await stream.info();
  const projected = await rows.projectedUpTo();
  const history = await historyPosition(stream, settings.pipelinesBucket);
  if (!isProjectionOf(projected, info)) return undefined;
  if (history?.streamCreated !== info.created || history.position > info.lastSequence) return undefined;
  const { config } = await stream.jsm.streams.info(stream.names.jobs);
  return {
    streamCreated: info.created,
    passedUpTo: Math.min(projected.position, history.position),
    duplicateWindowMs: (config.duplicate_window ?? 0) / 1_000_000,
  };
}

async function purgePage(
  ports: JanitorPorts,
  pass: Pass,
  page: JanitorRow[],
  bounds: Bounds,
  tally: Tally,
): Promise<void> {
  const { settings } = ports;
  const now = ports.now();
  const due = page.filter((row) => isRetentionOver(row, settings.janitorRetention, now));
  // In slices of 100 ms, so that the rate holds from the first slice on.
  const slice = Math.max(1, Math.round(settings.janitorPurgesPerSecond / 10));
  for (let at = 0; at < due.length && !pass.signal.aborted; at += slice) {
    const started = performance.now();
    const rows = due.slice(at, at + slice);
    const purges = await Promise.all(rows.map((row) => ports.limit(() => purgeJob(ports, row, bounds, tally))));
    const purged = rows.filter((_, index) => purges[index]);
    tally.add('removed', await removeGone(ports, purged, bounds.streamCreated));
    const leastMs = (purged.length * 1_000) / settings.janitorPurgesPerSecond;
    await sleep(Math.max(0, leastMs - (performance.now() - started)), pass.signal);
  }
}

/** @returns whether everything that the stream held of the job is removed */
async function purgeJob(
  { stream, now }: JanitorPorts,
  row: JanitorRow,
  bounds: Bounds,
  tally: Tally,
): Promise<boolean> {
  const { service, type, id } = row;
  const last = await stream.lastOfJob(service, type, id);
  if (!last) return true;
  const verdict = mayPurge({ last, ...bounds }, now());
  if (verdict !== 'yes') {
    tally.add(verdict === 'window' ? 'waitingForDuplicateWindow' : 'waitingForPipelines');
    return false;
  }
  // The sequence is exclusive.
  const filter = jobFilter(service, type, id);
  const { purged } = await actOnJob('purge', row, last.headers?.get('traceparent'), () =>
    stream.jsm.streams.purge(stream.names.jobs, { filter, seq: last.sequence + 1 }),
  );
  tally.add('purged');
  tally.add('purgedEvents', purged);
  return true;
}
