// Duty `stale-rows`: removes rows of jobs that the stream no longer holds. Finds them by the stream's first sequence (age
// limit), and by checking every row in turn (purged subjects).
import { jobFilter } from '@trellis/contracts';
import { whenConnected } from '@trellis/nats';
import type { JanitorRow, RowPlace } from '@trellis/store-postgres';
import { z } from 'zod';
import { isProjectionOf } from '../plan/plan-stream.ts';
import { type JanitorPorts, Tally } from '../ports.ts';
import type { Duty, Pass, PassResult } from './duty.ts';

/** The audit continues after this id. */
const State = z.object({ auditedUpTo: z.string() });

/** Pages of one pass; the next one continues immediately when there are more. */
const MAX_PAGES = 20;

export function removeStaleRows(ports: JanitorPorts): Duty {
  return { name: 'stale-rows', run: (pass) => run(ports, pass) };
}

async function run(ports: JanitorPorts, pass: Pass): Promise<PassResult> {
  const { rows, stream, settings } = ports;
  const tally = new Tally('removed', 'audited');
  const info = await stream.info();
  if (!isProjectionOf(await rows.projectedUpTo(), info)) return { counts: { notOfThisStream: 1 } };

  let after: RowPlace<number> | undefined;
  let more = false;
  for (let pages = 0; !pass.signal.aborted; pages++) {
    if (pages === MAX_PAGES) {
      more = true;
      break;
    }
    const page = await rows.rowsBefore(info.firstSequence, after, settings.janitorPageSize);
    tally.add('removed', await removeGone(ports, page, info.created));
    const last = page.at(-1);
    if (!last || page.length < settings.janitorPageSize) break;
    after = { key: last.firstSequence, id: last.id };
  }

  const auditedUpTo = State.safeParse(pass.state).data?.auditedUpTo ?? '';
  const page = pass.signal.aborted ? [] : await rows.rowsById(auditedUpTo, settings.janitorPageSize);
  tally.add('audited', page.length);
  tally.add('removed', await removeGone(ports, page, info.created));
  if (tally.counts.removed) pass.log.info({ removed: tally.counts.removed }, 'rows whose events are gone were removed');
  const end = page.length < settings.janitorPageSize ? '' : (page.at(-1)?.id ?? '');
  return { counts: tally.counts, state: { auditedUpTo: end } satisfies z.infer<typeof State>, more };
}

/** Removes the rows of jobs without a message in the stream. @returns how many */
export async function removeGone(ports: JanitorPorts, page: JanitorRow[], streamCreated: string): Promise<number> {
  const looks = page.map((row) => ports.limit(async () => ((await isGone(ports, row)) ? [row] : [])));
  const gone = (await Promise.all(looks)).flat();
  return gone.length === 0 ? 0 : ports.rows.remove(gone, streamCreated);
}

async function isGone({ stream }: JanitorPorts, { service, type, id }: JanitorRow): Promise<boolean> {
  await whenConnected(stream.nc);
  const query = { last_by_subj: jobFilter(service, type, id) };
  if (await stream.jsm.direct.getMessage(stream.names.jobs, query)) return false;
  // A replica may lag: only the leader knows that there is nothing.
  return (await stream.lastOfJob(service, type, id)) === undefined;
}
