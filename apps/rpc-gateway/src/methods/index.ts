// Every RPC that this gateway answers. A new one is a file beside this one and a line here.
import type { Method } from '../method.ts';
import { cancelJob } from './cancel-job.ts';
import { getJob } from './get-job.ts';
import { health } from './health.ts';
import { listJobs } from './list-jobs.ts';

export const METHODS: readonly Method[] = [listJobs, getJob, cancelJob, health];
