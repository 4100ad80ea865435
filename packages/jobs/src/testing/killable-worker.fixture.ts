// A worker in a process of its own that tests may kill: it starts every job it gets and ends none
// unless that one is told to stop.
// Arguments: NATS url, service name, job type, maxDeliver, ackWaitMs, heartbeatTtlMs of a keyed queue; `--traced`: with spans, which
// are lost with the process. Prints the id of each job that it starts.
import { trace } from '@opentelemetry/api';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { silentLogger } from '@trellis/async';
import { z } from 'zod';
import { createService, queue } from '../index.ts';
import { TEMPLATE } from './key-record.fixture.ts';

const given = process.argv.slice(2).filter((argument) => argument !== '--traced');
const [url = '', name = '', type = '', maxDeliver = '5', ackWaitMs = '1000', ttlMs] = given;
if (process.argv.includes('--traced')) trace.setGlobalTracerProvider(new TracerProvider());

const service = await createService({
  name,
  nats: { url },
  log: silentLogger(),
  queues: {
    [type]: queue({
      payload: z.unknown(),
      maxDeliver: Number(maxDeliver),
      ackWaitMs: Number(ackWaitMs),
      concurrency: 4,
      ...(ttlMs ? { keyConcurrency: { key: TEMPLATE, heartbeatTtlMs: Number(ttlMs) } } : {}),
    }),
  },
});
await service.jobs[type]?.handle(async (job) => {
  process.stdout.write(`${job.id}\n`);
  await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
});
