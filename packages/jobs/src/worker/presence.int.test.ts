import { WorkerHeartbeat } from '@trellis/contracts';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { queue } from '../index.ts';
import { type Bench, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

it('a worker tells at once, and again and again, that it lives and what it works on, under an id that no other instance has; none of it is stored among the events', async () => {
  const name = newName();
  const beats: WorkerHeartbeat[] = [];
  const subjects: string[] = [];
  bench.nc.subscribe(`trellis.jobs.workers.${name}.>`, {
    callback: (_, message) => {
      subjects.push(message.subject);
      beats.push(WorkerHeartbeat.parse(message.json()));
    },
  });
  await bench.nc.flush();
  const queues = { work: queue({ payload: z.object({}), concurrency: 3 }) };
  const service = await bench.service(queues, { name, version: '1.2.3', heartbeatIntervalMs: 20 });
  const other = await bench.service(queues, { name, heartbeatIntervalMs: 20 });
  const door = gate();
  await service.jobs.work.handle(() => door.opened);
  await waitFor(async () => beats[0], { what: 'the first heartbeat' });
  expect(beats[0]).toMatchObject({
    service: name,
    jobType: 'work',
    instanceId: service.instanceId,
    concurrency: 3,
    version: '1.2.3',
    activeJobs: [],
  });
  expect(subjects[0]).toBe(`trellis.jobs.workers.${name}.work.${service.instanceId}.heartbeat`);
  const ref = await service.jobs.work.create({});
  await waitFor(async () => beats.some(({ activeJobs }) => activeJobs?.includes(ref.id)), {
    what: 'the job in a heartbeat',
  });
  door.open();
  await ref.wait();
  await waitFor(async () => beats.at(-1)?.activeJobs?.length === 0, { what: 'a heartbeat without the job' });
  // A second instance of the same process has an id of its own.
  expect(other.instanceId).not.toBe(service.instanceId);
  // Presence is no lifecycle event: none of it is in the stream of events.
  expect((await bench.stream.readJob(ref.id)).events).toHaveLength(3);
  const kept = await bench.stream.jsm.streams.info('JOBS_PRESENCE', {
    subjects_filter: `trellis.jobs.workers.${name}.>`,
  });
  expect(Object.keys(kept.state.subjects ?? {})).toEqual([subjects[0]]);
});
