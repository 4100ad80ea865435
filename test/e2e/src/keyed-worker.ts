// One worker process of the keyed chaos run. It handles the queue of keyed-chaos.ts until it is stopped or killed.
import { createService, queue } from '@trellis/jobs';
import { runComponent } from '@trellis/runtime';
import { z } from 'zod';

export const KeyedWorkerOptions = z.object({
  url: z.string(),
  service: z.string(),
  instanceId: z.string(),
  ttlMs: z.number(),
  maxActive: z.number(),
  maxQueuedPerKey: z.number(),
  concurrency: z.number(),
  /** Maximum duration of a job. */
  workMs: z.number(),
  graceMs: z.number(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'fatal']),
});
export type KeyedWorkerOptions = z.infer<typeof KeyedWorkerOptions>;

export const JOB_TYPE = 'keyed';
const payload = z.object({ origin: z.string(), n: z.number() });

export const keyedQueue = (
  options: Pick<KeyedWorkerOptions, 'ttlMs' | 'maxActive' | 'maxQueuedPerKey' | 'concurrency'>,
) =>
  queue({
    payload,
    concurrency: options.concurrency,
    maxDeliver: 10,
    backoffMs: [100],
    keyConcurrency: { key: ['chaos', '/origin'], maxActive: options.maxActive, heartbeatTtlMs: options.ttlMs },
    queue: { maxQueuedPerKey: options.maxQueuedPerKey },
  });

async function main(options: KeyedWorkerOptions): Promise<void> {
  const { url, service: name, instanceId, workMs, graceMs } = options;
  await runComponent({
    name: instanceId,
    config: { instanceId, logLevel: options.logLevel },
    start: async ({ log, use }) => {
      const service = await createService({
        name,
        nats: { url },
        queues: { [JOB_TYPE]: keyedQueue(options) },
        instanceId,
        log,
      });
      use('queues', service, { close: () => service.stop({ graceMs }) });
      await service.jobs[JOB_TYPE]?.handle(async (job) => {
        const stop = AbortSignal.any([job.signal, job.shutdown]);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.random() * workMs);
          stop.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve();
          });
        });
        stop.throwIfAborted();
      });
    },
  });
}

if (process.argv[1] === import.meta.filename) await main(KeyedWorkerOptions.parse(JSON.parse(process.argv[2] ?? '{}')));
