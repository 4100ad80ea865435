// Publishes the heartbeats of this worker (docs/protocol.md#heartbeats). For information only.

import { type Loop, loop } from '@trellis/async';
import { heartbeatSubject, type WorkerHeartbeat } from '@trellis/contracts';
import type { WorkerScope } from './worker-scope.ts';

/** Publishes a heartbeat immediately and then every `intervalMs` until `signal` aborts. */
export function announceWorker(
  scope: WorkerScope,
  activeJobs: () => string[],
  { intervalMs, signal }: { intervalMs: number; signal: AbortSignal },
): Loop {
  const { service, jobType, instanceId, version } = scope;
  return loop(`presence of ${service}/${jobType}`, {
    signal,
    log: scope.log,
    intervalMs,
    run: async () => {
      const beat: WorkerHeartbeat = {
        service,
        jobType,
        instanceId,
        timestamp: new Date().toISOString(),
        concurrency: scope.queue.settings.concurrency,
        activeJobs: activeJobs(),
      };
      if (version !== undefined) beat.version = version;
      scope.stream.nc.publish(heartbeatSubject(service, jobType, instanceId), JSON.stringify(beat));
    },
  });
}
