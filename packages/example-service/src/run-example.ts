// The process of an example service: connection, queues, what the service does, and the removal of its old jobs.

import { createService, type JobService, type Queue, removeEndedJobs } from '@trellis/jobs';
import { JobStream } from '@trellis/nats';
import { type ComponentScope, runComponent, useNats } from '@trellis/runtime';
import { startTelemetry } from '@trellis/telemetry';
import { z } from 'zod';
import { exampleConfig } from './example-config.ts';

const ExampleConfig = z.object(exampleConfig);

export interface ExampleScope<Queues extends Record<string, Queue>> extends ComponentScope {
  service: JobService<Queues>;
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
  const { streamNames, streamReplicas, joinTraceMs, graceMs, keepHours } = config;
  const start = async (scope: ComponentScope): Promise<void> => {
    const { instanceId, log, use, run } = scope;
    const nats = await useNats(scope, config);
    const service = await createService({
      name,
      nats,
      queues,
      instanceId,
      version: VERSION,
      log,
      streamNames,
      streamReplicas,
      joinTraceMs,
    });
    use('queues', service, { close: () => service.stop({ graceMs }), ready: () => service.check() });
    await options.start({ ...scope, service });

    const stream = await JobStream.open(nats, { names: streamNames, log });
    run('clean-up', {
      intervalMs: CLEAN_UP_EVERY_MS,
      run: async (signal) => {
        const before = new Date(Date.now() - keepHours * 3_600_000);
        const done = await removeEndedJobs(stream, { service: name, before, limit: CLEAN_UP_LIMIT, signal });
        if (done.removed > 0) log.info(done, 'old example jobs removed from the stream');
      },
    });
  };
  await runComponent({ name, version: VERSION, config, startTelemetry, start });
}
