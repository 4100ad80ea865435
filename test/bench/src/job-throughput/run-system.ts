// The process in which one job system creates or runs its jobs.
import { answerTask } from '../run-task.ts';
import { bullmqSystem } from './bullmq-system.ts';
import { graphileSystem } from './graphile-system.ts';
import type { JobSystem, JobSystemTask, PhaseFigures, SystemName } from './job-system.ts';
import { trellisSystem } from './trellis-system.ts';

const SYSTEMS: Record<SystemName, JobSystem> = {
  trellis: trellisSystem,
  bullmq: bullmqSystem,
  'graphile-worker': graphileSystem,
};

answerTask(async (task: JobSystemTask): Promise<PhaseFigures> => {
  const before = process.cpuUsage();
  const figures = await SYSTEMS[task.system][task.phase](task);
  const { user, system } = process.cpuUsage(before);
  return { ...figures, cpuSeconds: (user + system) / 1e6 };
});
