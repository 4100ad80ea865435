import type { ActiveSlot, KeyRecord } from '@trellis/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { admit } from './admit.ts';
import { release, renew, takeOver, takeSlot } from './key-lease.ts';
import { newKeyRecord } from './key-record.ts';

const context = { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
const identity = { service: 's', jobType: 't', key: 'k', keyHash: 'f'.repeat(64) };
const LEASE_MS = 1_000;

/** One thing that somebody does; numbers pick from what there is. */
const anyStep = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('create' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('start' as const), pick: fc.nat(), worker: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const), pick: fc.nat(), promote: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('handBack' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('renew' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(2_000) }) },
);

it('whatever happens: never more hold the key than may, nobody is lost, first starts keep the order of admission', () => {
  const maxActives = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 120 }), maxActives, fc.nat(5), (steps, maxActive, maxQueuedPerKey) => {
      const limits = { maxActive, maxQueuedPerKey };
      let now = new Date(1_800_000_000_000);
      let record: KeyRecord = newKeyRecord(identity, limits, now);
      const admitted: string[] = [];
      const started: string[] = [];
      const ended = new Set<string>();
      /** Accepted, and neither queued nor active: handed back. */
      const outside = new Set<string>();
      let tokens = 0;
      const hold = (slot: ActiveSlot) => {
        outside.delete(slot.jobId);
        if (!started.includes(slot.jobId)) started.push(slot.jobId);
      };
      const pickFrom = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length];

      for (const step of steps) {
        if (step.do === 'pass') now = new Date(now.getTime() + step.ms);
        if (step.do === 'create') {
          const jobId = `j${admitted.length}-${tokens++}`;
          const job = { jobId, createdAt: now.toISOString(), requestId: 'r', context };
          const answer = admit(record, { job, whenFull: 'strict', limits }, now);
          record = answer.record;
          if (answer.outcome.kind === 'accepted') admitted.push(jobId);
          else expect(record.queued.length).toBeGreaterThanOrEqual(maxQueuedPerKey);
        }
        if (step.do === 'start') {
          const jobId = pickFrom([...record.queued.map((job) => job.jobId), ...outside], step.pick);
          if (jobId === undefined) continue;
          const wish = {
            jobId,
            instanceId: `w${step.worker}`,
            slotToken: `t${tokens++}`,
            leaseMs: LEASE_MS,
            tries: 1,
            context,
            limits,
            liveMs: 500,
            runningHere: false,
            stalePolicy: 'fail-stale' as const,
          };
          const answer = takeSlot(record, wish, now);
          record = answer.record;
          if (answer.outcome.kind === 'taken' || answer.outcome.kind === 'otherFirst') hold(answer.outcome.slot);
          if (answer.outcome.kind === 'expired') {
            const { jobId: old, slotToken } = answer.outcome.slot;
            record = takeOver(record, { jobId: old, slotToken, stale: true }, now).record;
            ended.add(old);
          }
        }
        if (step.do === 'end' || step.do === 'handBack') {
          const slot = pickFrom(record.active, step.pick);
          if (slot === undefined) continue;
          const { jobId, slotToken } = slot;
          const promote =
            step.do === 'end' && step.promote
              ? { instanceId: 'w0', slotToken: `t${tokens++}`, leaseMs: LEASE_MS }
              : undefined;
          const answer = release(record, { jobId, slotToken, limits, promote }, now);
          record = answer.record;
          if (step.do === 'end') ended.add(jobId);
          else outside.add(jobId);
          if (answer.outcome.promoted) hold(answer.outcome.promoted);
        }
        if (step.do === 'renew') {
          const slot = pickFrom(record.active, step.pick);
          if (slot) record = renew(record, { ...slot, leaseMs: LEASE_MS }, now).record;
        }

        expect(record.active.length).toBeLessThanOrEqual(maxActive);
        const places = [...record.active, ...record.queued].map(({ jobId }) => jobId);
        expect(new Set(places).size).toBe(places.length);
        // Everybody who was admitted is at exactly one lease, in one order.
        expect([...places, ...ended, ...outside].sort()).toEqual([...admitted].sort());
        expect(started).toEqual(admitted.slice(0, started.length));
        expect(record.queued.map(({ jobId }) => jobId)).toEqual(admitted.slice(started.length));
      }
    }),
  );
});
