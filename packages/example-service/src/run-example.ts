// The process of an example service: connection, queues, what the service does, and the removal of its old jobs.

import { type Logger, loop } from '@trellis/async';
import { createService, type JobService, type Queue, removeEndedJobs } from '@trellis/jobs';
import { connectNats, JobStream } from '@trellis/nats';
import { type ComponentScope, createLogger, runComponent, telemetryOf } from '@trellis/runtime';
import { startTelemetry } from '@trellis/telemetry';
import { z } from 'zod';
import { exampleConfig } from './example-config.ts';

const ExampleConfig = z.object(exampleConfig);

export interface ExampleScope<Queues extends Record<string, Queue>> extends ComponentScope {
  service: JobService<Queues>;
  log: Logger;
}

export interface ExampleOptions<Queues extends Record<string, Queue>> {
  name: string;
  config: z.infer<typeof ExampleConfig>;
  queues: Queues;
  /** What the service does: its handlers, and what asks for jobs. */
  start: (scope: ExampleScope<Queues>) => Promise<void>;
}

const VERSION = '1.0.0';
const CLEAN_UP_EVERY_MS = 60_000;
/** More jobs than an example makes between two passes. */
const CLEAN_UP_LIMIT = 1_000;

/** Runs until the process is asked to stop. */
export async function runExample<Queues extends Record<string, Queue>>(options: ExampleOptions<Queues>): Promise<void> {
  const { name, config, queues } = options;
  const { instanceId, streamNames } = config;
  const telemetry = startTelemetry(telemetryOf(config, name, VERSION));
  const log = createLogger({ name, level: config.logLevel, instanceId });
  const start = async (scope: ComponentScope): Promise<void> => {
    const { signal, onStop, ready } = scope;
    const nats = await connectNats({ url: config.natsUrl, options: config.natsOptions, name, log });
    onStop(() => nats.drain());
    ready('nats', async () => void (await nats.rtt()));

    const service = await createService({
      name,
      nats,
      queues,
      instanceId,
      version: VERSION,
      log,
      streamNames,
      streamReplicas: config.streamReplicas,
      joinTraceMs: config.joinTraceMs,
    });
    onStop(() => service.stop({ graceMs: config.graceMs }));
    ready('queues', () => service.check());
    await options.start({ ...scope, service, log });

    const stream = await JobStream.open(nats, { names: streamNames, log });
    const removal = loop('clean-up', {
      signal,
      log,
      intervalMs: CLEAN_UP_EVERY_MS,
      run: async (until) => {
        const before = new Date(Date.now() - config.keepHours * 3_600_000);
        const done = await removeEndedJobs(stream, { service: name, before, limit: CLEAN_UP_LIMIT, signal: until });
        if (done.removed > 0) log.info(done, 'old example jobs removed from the stream');
      },
    });
    onStop(() => removal.done);
  };
  await runComponent({ name, config, log, telemetry, start });
}
