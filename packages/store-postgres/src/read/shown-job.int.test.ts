import type { JobState } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newJob, openTestCurrentStore, type TestCurrentStore } from '../testing/current-store-fixture.ts';
import { anyFoldedJob, foldedJob } from '../testing/folded-job.ts';
import { listedJobs } from './list-query.ts';
import { readBound } from './read-query.ts';

let test: TestCurrentStore;
beforeAll(async () => {
  test = await openTestCurrentStore();
});
afterAll(() => test[Symbol.asyncDispose]());

const shown = async (id: string) => JSON.parse((await test.reader.shownJob(id)) ?? '');

describe('the JSON of a job', () => {
  it('is the wire form of any folded job', async () => {
    await fc.assert(
      fc.asyncProperty(anyFoldedJob, async (job) => {
        await test.postgres.query('delete from jobs');
        await test.commit([newJob(job)]);
        expect(await shown(job.id)).toEqual(JSON.parse(JSON.stringify(toWireJob(job))));
      }),
      { numRuns: 200 },
    );
  });

  it('has every public field and no internal field', async () => {
    const at = '2026-01-31T09:30:00.120Z';
    const whole = foldedJob({
      id: 'whole',
      state: 'active',
      context: { requestId: '"r"\\', traceId: 't\n', traceparent: 'p\u0001', tracestate: 'ä=1' },
      result: null,
      startedAt: at,
      completedAt: at,
      lastError: 'said "503"\n\tafter 17 ms',
      deadline: at,
      progress: { step: 'pick', current: 1, total: 2 },
      concurrency: { key: 'k', keyHash: 'h', slotToken: 'secret', heartbeatAt: at },
      queuePolicy: { outcome: 'accepted', reason: 'free' },
      cancelRequestedAt: at,
      instanceId: 'host "1"',
      headMissing: true,
      handedBack: true,
    });
    const lines = ['one', 'two "quoted"', 'three'].map((message) => ({
      timestamp: at,
      level: 'warn' as const,
      message,
    }));
    const logs = lines.map((entry, line) => ({ sequence: 1, line, entry }));
    await test.commit([{ ...newJob(whole), logs }]);
    expect(await shown('whole')).toEqual(toWireJob({ ...whole, logs: lines }));
    expect(await test.reader.shownJob('whole')).not.toContain('secret');
  });

  it('is not in a list of states that the job has left', async () => {
    const ids = ['in-pending', 'in-dead'];
    await test.commit([newJob(foldedJob({ id: 'in-pending' })), newJob(foldedJob({ id: 'in-dead', state: 'dead' }))]);
    const listed = async (of: string[], states?: JobState[]) =>
      (await readBound<{ id: string }>(test.postgres, listedJobs(of, states))).map(({ id }) => id).sort();
    expect(await listed(ids)).toEqual(ids.toSorted());
    expect(await listed(ids, ['dead', 'failed'])).toEqual(['in-dead']);
    expect(await listed(['in-pending'], ['dead'])).toEqual([]);
  });

  it('is undefined when there is no such job', async () => {
    expect(await test.reader.shownJob('nobody')).toBeUndefined();
  });
});
