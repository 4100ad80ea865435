import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { queue } from '../index.ts';
import { type Bench, newName, startBench } from '../testing/jobs-bench.fixture.ts';

const ACK_WAIT_MS = 1_000;
const workerFile = fileURLToPath(new URL('../testing/killable-worker.fixture.ts', import.meta.url));

let nats: TestNats;
let bench: Bench;
beforeAll(async () => {
  nats = await startTestNats();
  bench = await startBench(nats, waitFor);
});
afterAll(() => bench.stop());

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A worker process, once it has started the job. */
async function workerThatStarted(service: string, jobId: string, maxDeliver: number) {
  const args = [workerFile, nats.url, service, 'charge', String(maxDeliver), String(ACK_WAIT_MS)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) if (line === jobId) break;
  const killed = async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { killed };
}

it('a worker that is killed in a handler uses its attempt, and the job comes to another one', async () => {
  const name = newName();
  const service = await bench.service({ charge: queue({ payload: z.unknown(), ackWaitMs: ACK_WAIT_MS }) }, { name });
  const ref = await service.jobs.charge.create({});
  const worker = await workerThatStarted(name, ref.id, 5);
  await worker.killed();
  const seen: number[] = [];
  await service.jobs.charge.handle((job) => void seen.push(job.attempt));
  expect((await ref.wait({ timeoutMs: 20_000 })).state).toBe('completed');
  expect(seen).toEqual([2]);
  const events = await bench.events(ref.id);
  expect(events.map(({ event }) => [event.eventType, event.tries])).toEqual([
    ['created', 0],
    ['started', 1],
    ['started', 2],
    ['completed', 2],
  ]);
  expect(events[2]?.event.previousState).toBe('active');
});

it('a worker that is killed in the last attempt leaves a dead job and no work message', async () => {
  const name = newName();
  const service = await bench.service(
    { charge: queue({ payload: z.unknown(), ackWaitMs: ACK_WAIT_MS, maxDeliver: 1 }) },
    { name },
  );
  const ref = await service.jobs.charge.create({});
  const worker = await workerThatStarted(name, ref.id, 1);
  await worker.killed();
  let runs = 0;
  await service.jobs.charge.handle(() => void runs++);
  expect(await ref.wait({ timeoutMs: 20_000 })).toEqual({ state: 'dead', error: 'worker lost in the last attempt' });
  await bench.workDone(name, 'charge');
  expect(runs).toBe(0);
});
