// One round of one job system: creates the jobs in one process, runs them in another.
import { join } from 'node:path';
import type { LatencyFigures } from '../latencies.ts';
import { runTask } from '../run-task.ts';
import type { JobSystemTask, PhaseFigures } from './job-system.ts';
import { workIsQueued } from './trellis-system.ts';

const FILE = join(import.meta.dirname, 'run-system.ts');
const IN_FLIGHT = 1_000;
const CONCURRENCY = 100;

export type Round = Pick<JobSystemTask, 'system' | 'url' | 'name' | 'jobs' | 'keys'>;

export interface RoundFigures {
  createMs: number;
  createLatencies: LatencyFigures | undefined;
  processMs: number;
  workerCpuSeconds: number;
  creatorCpuSeconds: number;
  /** Time from the last creation until the last job is in the work queue; 0 if creating puts it there. */
  queuedAfterMs: number;
}

export async function measureRound(round: Round): Promise<RoundFigures> {
  const created = await runPhase(round, 'create');
  const queuedAfterMs = round.system === 'trellis' ? await workIsQueued(round.url, round.name, round.jobs) : 0;
  const processed = await runPhase(round, 'process');
  return {
    createMs: created.ms,
    createLatencies: created.latencies,
    processMs: processed.ms,
    workerCpuSeconds: processed.cpuSeconds,
    creatorCpuSeconds: created.cpuSeconds,
    queuedAfterMs,
  };
}

export const runPhase = (round: Round, phase: JobSystemTask['phase']): Promise<PhaseFigures> =>
  runTask(FILE, { ...round, phase, inFlight: IN_FLIGHT, concurrency: CONCURRENCY } satisfies JobSystemTask);

/** The settings of a round, for the report. */
export const ROUND_SETTINGS = { inFlight: IN_FLIGHT, concurrency: CONCURRENCY };
