// Every RPC that this gateway answers. A new one is a file beside this one and a line here.
import type { Method } from '../rpc/method.ts';
import { cancelJob } from './cancel-job.ts';
import { dismissDlq } from './dismiss-dlq.ts';
import { getJob } from './get-job.ts';
import { getKey } from './get-key.ts';
import { health } from './health.ts';
import { historyJob } from './history-job.ts';
import { listDlq } from './list-dlq.ts';
import { listJobs } from './list-jobs.ts';
import { listServices } from './list-services.ts';
import { replayDlq } from './replay-dlq.ts';
import { retryJob } from './retry-job.ts';
import { traceJob } from './trace-job.ts';

export const METHODS: readonly Method[] = [
  listJobs,
  getJob,
  getKey,
  cancelJob,
  retryJob,
  replayDlq,
  dismissDlq,
  listServices,
  historyJob,
  traceJob,
  health,
  listDlq,
];
