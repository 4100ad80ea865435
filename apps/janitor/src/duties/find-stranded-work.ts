// Duty `stranded-work`: checks whether `created` and `retried` events still reach JOBS_WORK, and whether old pending jobs
// have a message there. Reports. Where configured, recreates JOBS_WORK; finished jobs do not run again.
import { type ConsumerConfig, JetStreamApiError } from '@nats-io/jetstream';
import { eventSubject } from '@trellis/contracts';
import { type JobStream, provision } from '@trellis/nats';
import type { JanitorRow, PassProblem } from '@trellis/store-postgres';
import { z } from 'zod';
import { judgeQueue, mayRecreate, type QueueVerdict } from '../plan/plan-stream.ts';
import { NEW_ROTATION, RotationState, reported, rotate } from '../plan/rotation.ts';
import { type JanitorPorts, Tally } from '../ports.ts';
import { readJob } from '../stream/read-job.ts';
import type { Duty, Pass, PassResult } from './duty.ts';

const State = z.object({
  rotation: RotationState,
  /** Since when JOBS_WORK has been ahead of JOBS, RFC 3339. */
  aheadSince: z.string().optional(),
  recreatedAt: z.string().optional(),
});
type State = z.infer<typeof State>;

export function findStrandedWork(ports: JanitorPorts): Duty {
  return { name: 'stranded-work', run: (pass) => run(ports, pass) };
}

async function run(ports: JanitorPorts, pass: Pass): Promise<PassResult> {
  const { rows, limit, settings } = ports;
  const tally = new Tally('checked', 'stranded');
  const before: State = State.safeParse(pass.state).data ?? { rotation: NEW_ROTATION };
  const now = ports.now();
  const verdict = await lookAtQueue(ports, now);
  const aheadSince = verdict.kind === 'ahead' ? (before.aheadSince ?? new Date(now).toISOString()) : undefined;

  const old = new Date(now - settings.janitorWorkGraceMs).toISOString();
  const page = await rows.rowsInState('pending', old, before.rotation.after, settings.janitorSampleSize);
  const looks = page.map((row) => limit(async () => ((await isStranded(ports, row, old)) ? [row.id] : [])));
  const stranded = (await Promise.all(looks)).flat();
  tally.add('checked', page.length);
  tally.add('stranded', stranded.length);
  const rotation = rotate(before.rotation, page, stranded, settings.janitorSampleSize);

  const problems = describe(verdict, reported(rotation));
  // The first check may have met a restore that is still running.
  const longAhead = aheadSince !== undefined && now - Date.parse(aheadSince) > settings.janitorWorkGraceMs;
  const cure = stranded.length > 0 || verdict.kind === 'behind' || longAhead;
  const state: State = {
    rotation,
    ...(aheadSince && { aheadSince }),
    ...(before.recreatedAt && { recreatedAt: before.recreatedAt }),
  };
  if (cure && settings.repairStrandedWork && !pass.signal.aborted) {
    if (mayRecreate(before.recreatedAt, now, settings.janitorWorkGraceMs)) {
      await recreateQueue(ports.stream, pass);
      tally.add('queueRecreated');
      return {
        counts: tally.counts,
        problems,
        state: { rotation: NEW_ROTATION, recreatedAt: new Date(now).toISOString() },
      };
    }
    tally.add('waitingAfterRecreation');
  }
  return { counts: tally.counts, problems, state };
}

async function lookAtQueue({ stream, work, settings }: JanitorPorts, now: number): Promise<QueueVerdict> {
  const { lastSequence } = await work.state();
  const arrived = lastSequence === 0 ? undefined : await work.messageAt(lastSequence);
  const { lastSequence: jobsLastSequence } = await stream.info();
  const after = arrived?.origin?.sequence;
  // From there on, not the last of all: for an event that never happened the server would scan the whole stream.
  const next =
    after === undefined || after >= jobsLastSequence
      ? []
      : await Promise.all(
          (['created', 'retried'] as const).map((event) =>
            stream.nextOf(eventSubject('*', '*', '*', event), after + 1),
          ),
        );
  const [firstMissing] = next.filter((message) => message !== undefined).sort((a, b) => a.sequence - b.sequence);
  const lastArrived = after === undefined ? undefined : { originSequence: after };
  return judgeQueue({ jobsLastSequence, lastArrived, firstMissing }, now, settings.janitorWorkGraceMs);
}

/** A job that has waited too long, has no work message, and has an origin that could bring one. */
async function isStranded({ stream, work }: JanitorPorts, row: JanitorRow, old: string): Promise<boolean> {
  if (row.originAt >= old) return false;
  if (await work.findByOrigin(row.originSequence)) return false;
  const { job, events } = await readJob(stream, row);
  if (job?.state !== 'pending' || job.originSequence !== row.originSequence) return false;
  const origin = events.find(({ sequence }) => sequence === job.originSequence);
  return origin !== undefined && origin.storedAt < old;
}

function describe(verdict: QueueVerdict, stranded: { count: number; jobs: string[] }): PassProblem[] {
  const problems: PassProblem[] = [];
  if (verdict.kind === 'behind') {
    const { missing, since, arrived } = verdict;
    const message = `work of event ${missing} (${since}) has not reached the work queue, which has it up to ${arrived}`;
    problems.push({ code: 'work-behind', message, missing, since, arrived });
  }
  if (verdict.kind === 'ahead') {
    const { jobsLastSequence, arrived } = verdict;
    const message = `the work queue has work up to ${arrived}, the jobs stream ends at ${jobsLastSequence}: an older copy of it was restored`;
    problems.push({ code: 'work-ahead', message, jobsLastSequence, arrived });
  }
  if (stranded.count > 0) {
    const message = `${stranded.count} pending job(s) are not in the work queue`;
    problems.push({ code: 'stranded-jobs', message, ...stranded });
  }
  return problems;
}

/** Deletes and recreates JOBS_WORK: the server fills it with all origins again, and workers discard what has ended. */
async function recreateQueue({ nc, jsm, names, log }: JobStream, pass: Pass): Promise<void> {
  const { config } = await jsm.streams.info(names.work);
  const consumers: ConsumerConfig[] = [];
  for await (const info of jsm.consumers.list(names.work)) if (info.config.durable_name) consumers.push(info.config);
  pass.log.warn({ stream: names.work, consumers: consumers.length }, 'the work queue is made anew');
  await jsm.streams.delete(names.work);
  await provision(nc, { names, replicas: config.num_replicas, log });
  // Workers of other implementations may not create their consumers again.
  for (const consumer of consumers) {
    try {
      await jsm.consumers.add(names.work, consumer);
    } catch (error) {
      // Its worker created it first.
      if (!(error instanceof JetStreamApiError)) throw error;
      pass.log.info({ consumer: consumer.durable_name, error }, 'a work consumer is not made again by the janitor');
    }
  }
}
