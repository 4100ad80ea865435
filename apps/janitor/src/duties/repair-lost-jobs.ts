// Duty `lost-jobs`: finds started jobs that nobody will continue: no work message, no worker, no lease, no recent event.
// Reports them. Where configured, makes them run again (`failed`, then `retried`).

import type { Logger } from '@trellis/async';
import { jobFilter, type LifecycleEvent } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import type { JanitorRow, LiveWorker, PassProblem } from '@trellis/store-postgres';
import { z } from 'zod';
import { actOnJob } from '../janitor-telemetry.ts';
import { isOrigin, judgeLost, LOSABLE_STATES, planRequeue } from '../plan/plan-job.ts';
import { NEW_ROTATION, RotationState, reported, rotate } from '../plan/rotation.ts';
import { type JanitorPorts, Tally } from '../ports.ts';
import { type ReadJob, readJob } from '../stream/read-job.ts';
import type { Duty, Pass, PassResult } from './duty.ts';

const State = z.object({ active: RotationState, retry: RotationState });
type State = z.infer<typeof State>;

export function repairLostJobs(ports: JanitorPorts): Duty {
  return { name: 'lost-jobs', run: (pass) => run(ports, pass) };
}

async function run(ports: JanitorPorts, pass: Pass): Promise<PassResult> {
  const tally = new Tally('checked', 'lost');
  // Presence protects running jobs: while nobody keeps it, no job counts as lost.
  if (!(await ports.rows.isPresenceKept())) {
    const message = 'worker presence is not kept now, so lost jobs cannot be told from running ones';
    return { counts: { ...tally.counts, presenceUnknown: 1 }, problems: [{ code: 'presence-unknown', message }] };
  }
  const state: State = State.safeParse(pass.state).data ?? { active: NEW_ROTATION, retry: NEW_ROTATION };
  for (const kind of LOSABLE_STATES) state[kind] = await checkPage(ports, pass, kind, state[kind], tally);
  return { counts: tally.counts, problems: LOSABLE_STATES.flatMap((kind) => describe(kind, state[kind])), state };
}

async function checkPage(
  ports: JanitorPorts,
  pass: Pass,
  kind: keyof State,
  rotation: RotationState,
  tally: Tally,
): Promise<RotationState> {
  const { rows, limit, settings } = ports;
  const old = new Date(ports.now() - settings.janitorLostGraceMs).toISOString();
  const page = await rows.rowsInState(kind, old, rotation.after, settings.janitorSampleSize);
  const quiet = page.filter((row) => row.updatedAt < old);
  const workers = await rows.workersOf(quiet);
  const checks = quiet.map((row) => limit(() => check(ports, pass, row, workers, tally)));
  const lost = (await Promise.all(checks)).flat();
  tally.add('checked', quiet.length);
  return rotate(rotation, page, lost, settings.janitorSampleSize);
}

/** @returns the job's id when it is lost and stays so */
async function check(
  ports: JanitorPorts,
  pass: Pass,
  row: JanitorRow,
  workers: readonly LiveWorker[],
  tally: Tally,
): Promise<string[]> {
  const { stream, settings } = ports;
  // Without its first events it is not known which work message belongs to the job.
  if (pass.signal.aborted || row.headMissing || (await hasWork(ports, row))) return [];
  const view = await readJob(stream, row);
  const newerRun = view.events.some(({ sequence, event }) => isOrigin(event) && sequence > row.originSequence);
  const traces = {
    workMessage: false,
    worker: workers.some((worker) => mayRun(worker, row)),
    leaseExpiresAt: view.job && (await leaseOf(ports, view.job)),
  };
  const verdict = judgeLost(view, traces, ports.now(), settings.janitorLostGraceMs);
  if (verdict.kind === 'alive' || newerRun) return [];
  tally.add('lost');
  const { id: jobId, service, type: jobType } = row;
  const { traceId, requestId } = verdict.job.context;
  const log = pass.log.child({ jobId, service, jobType, traceId, requestId });
  log.warn({ state: row.state, since: row.updatedAt }, 'the job is lost: nobody works on it and nobody will');
  if (!settings.requeueLostJobs || pass.signal.aborted) return [jobId];
  const repaired = () => repair(ports, pass, { view, job: verdict.job, log }, tally);
  return actOnJob('repair', row, verdict.job.context.traceparent, repaired);
}

/** @returns the job's id when it stays lost */
async function repair(
  ports: JanitorPorts,
  pass: Pass,
  { view, job, log }: { view: ReadJob; job: FoldedJob; log: Logger },
  tally: Tally,
): Promise<string[]> {
  const { settings } = ports;
  const plan = planRequeue(job, view.events, { now: ports.now(), instanceId: settings.instanceId });
  if (plan.kind === 'leave') {
    tally.add('payloadGone');
    return [job.id];
  }
  const ended = plan.kind === 'bury' ? plan.dead : plan.failed;
  const sequence = await publishAfter(ports, pass, ended, view.lastSequence);
  if (sequence === undefined) return [];
  if (plan.kind === 'bury') {
    tally.add('dead');
    log.warn('the lost job is dead: it had no attempt left');
    return [];
  }
  const retried = await publishAfter(ports, pass, plan.retried, sequence);
  tally.add(retried === undefined ? 'failed' : 'requeued');
  log.warn({ retried }, retried === undefined ? 'the lost job failed' : 'the lost job is queued again');
  return [];
}

async function hasWork({ work }: JanitorPorts, row: JanitorRow): Promise<boolean> {
  return (await work.findByOrigin(row.originSequence)) !== undefined;
}

/** The lease of the job's key: the live one, or, without a record, the one that the job started with. */
async function leaseOf(
  { keys }: JanitorPorts,
  { id, service, type, concurrency }: FoldedJob,
): Promise<string | undefined> {
  if (!concurrency) return undefined;
  const entry = await keys.get(service, type, concurrency.keyHash);
  if (!entry?.record) return concurrency.leaseExpiresAt;
  return entry.record.active.find(({ jobId }) => jobId === id)?.leaseExpiresAt;
}

/** A worker that does not report its active jobs may run any job of its type. */
const mayRun = (worker: LiveWorker, row: JanitorRow): boolean =>
  worker.service === row.service &&
  worker.type === row.type &&
  (row.instanceId === undefined || worker.instanceId === row.instanceId);

/** @returns the sequence; undefined when the job has changed since */
async function publishAfter(
  { stream }: JanitorPorts,
  { signal }: Pass,
  event: LifecycleEvent,
  lastSequence: number,
): Promise<number | undefined> {
  const filter = jobFilter(event.service, event.jobType, event.jobId);
  const outcome = await stream.publish(event, { signal, expect: { lastSequence, filter } });
  return outcome.kind === 'stored' ? outcome.sequence : undefined;
}

function describe(kind: keyof State, rotation: RotationState): PassProblem[] {
  const found = reported(rotation);
  if (found.count === 0) return [];
  const message = `${found.count} job(s) in state ${kind} have no work message, no worker and no lease`;
  return [{ code: 'lost-jobs', message, state: kind, ...found }];
}
