// Duty `key-leases`: jobs that ended before they ran leave the queue of their key, phantoms too; leases whose owner died after
// its job had ended are freed; records that nobody uses are removed. Whoever waits is told.
import { type ActiveSlot, type KeyRecord, keyFreeSubject } from '@trellis/contracts';
import { dropQueued, expiredSlots, isEnded, isPrunable, phantomSuspects, takeOver } from '@trellis/lifecycle';
import type { PassProblem } from '@trellis/store-postgres';
import { z } from 'zod';
import { type JanitorPorts, Tally } from '../ports.ts';
import type { KeyEntry } from '../stream/key-buckets.ts';
import { readJob } from '../stream/read-job.ts';
import type { Duty, Pass, PassResult } from './duty.ts';

/** The revision at which the walk continues, by service. */
const State = z.object({ from: z.record(z.string(), z.int()) });

export function releaseKeyLeases(ports: JanitorPorts): Duty {
  return { name: 'key-places', run: (pass) => run(ports, pass) };
}

async function run(ports: JanitorPorts, pass: Pass): Promise<PassResult> {
  const { keys, limit, settings } = ports;
  const tally = new Tally('checked', 'dropped', 'freed', 'pruned');
  const before = State.safeParse(pass.state).data?.from ?? {};
  const from: Record<string, number> = {};
  const problems: PassProblem[] = [];
  for (const service of await keys.services()) {
    if (pass.signal.aborted) break;
    const page = await keys.page(service, before[service] ?? 1, settings.janitorPageSize);
    await Promise.all(page.entries.map((entry) => limit(() => tend(ports, pass, service, entry, tally))));
    const unreadable = page.entries.filter(({ record }) => record === undefined);
    if (unreadable.length > 0) problems.push(describe(service, unreadable));
    tally.add('checked', page.entries.length);
    if (page.next !== undefined) from[service] = page.next;
  }
  return { counts: tally.counts, problems, state: { from } };
}

async function tend(ports: JanitorPorts, pass: Pass, service: string, entry: KeyEntry, tally: Tally): Promise<void> {
  const { record } = entry;
  if (!record || pass.signal.aborted) return;
  const now = new Date(ports.now());
  if (isPrunable(record, now, ports.settings.janitorKeyIdleMs)) {
    if (await ports.keys.prune(service, entry)) tally.add('pruned');
    return;
  }
  const ended = await findEnded(ports, record, now);
  const over = await findOver(ports, record, now);
  if (ended.length + over.length === 0) return;

  const changed = await ports.keys.change(entry, service, (current) => {
    const dropped = dropQueued(current, ended, now);
    let left = dropped.record;
    for (const { jobId, slotToken } of over) left = takeOver(left, { jobId, slotToken, stale: false }, now).record;
    const freed = current.active.length - left.active.length;
    return { record: left, outcome: { dropped: dropped.outcome.dropped, freed } };
  });
  if (!changed) return;
  const { dropped, freed } = changed.outcome;
  tally.add('dropped', dropped.length);
  tally.add('freed', freed);
  const { jobType, key, keyHash, active, queued, maxActive } = changed.record;
  if (dropped.length + freed === 0) return;
  pass.log.info({ service, jobType, key, dropped, freed }, 'leases of a key were released');
  if (queued.length > 0 && active.length < maxActive) {
    ports.stream.nc.publish(keyFreeSubject(service, jobType), JSON.stringify({ key, keyHash }));
  }
}

/** Queued jobs that will never run: ended, or never created. */
async function findEnded(ports: JanitorPorts, record: KeyRecord, now: Date): Promise<string[]> {
  // The projection says which jobs to check in the stream.
  const states = await ports.rows.statesOf(record.queued.map(({ jobId }) => jobId));
  const phantoms = new Set(phantomSuspects(record, now).map(({ jobId }) => jobId));
  const suspects = record.queued.filter(({ jobId }) => {
    const state = states.get(jobId);
    return state === undefined ? phantoms.has(jobId) : isEnded(state);
  });
  const ended: string[] = [];
  for (const { jobId } of suspects) if (await isOver(ports, record, jobId)) ended.push(jobId);
  return ended;
}

/** Places whose lease expired and whose job has ended. Others are left to whoever wants them. */
async function findOver(ports: JanitorPorts, record: KeyRecord, now: Date): Promise<ActiveSlot[]> {
  const over: ActiveSlot[] = [];
  for (const slot of expiredSlots(record, now)) if (await isOver(ports, record, slot.jobId)) over.push(slot);
  return over;
}

/** Whether the job has ended, or the stream holds nothing of it. */
async function isOver({ stream }: JanitorPorts, { service, jobType }: KeyRecord, jobId: string): Promise<boolean> {
  const { job } = await readJob(stream, { service, type: jobType, id: jobId });
  return !job || isEnded(job.state);
}

function describe(service: string, unreadable: KeyEntry[]): PassProblem {
  const [first] = unreadable;
  return {
    code: 'unreadable-keys',
    message: `${unreadable.length} key record(s) of ${service} cannot be read: ${first?.reason}`,
    service,
    records: unreadable.slice(0, 20).map(({ name }) => name),
  };
}
