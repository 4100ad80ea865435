// memory: what the projector holds resident while it drains a backlog, beside what it holds idle, and whether that grows
// with the backlog.
import { atMost, type BenchContext, type BenchEntry, type BenchResult } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { usageOf } from '../process-usage.ts';
import { publishBacklog } from './catch-up.ts';
import { drain } from './drain.ts';
import { emptyStores } from './rebuild.ts';

const GOAL_MB = 250;
/** Growth over a backlog three times as long that still counts as flat. */
const FLAT = 1.2;

export const memory: BenchEntry = {
  name: 'memory',
  measures:
    "the projector's resident memory during catch-up, beside its idle, for a backlog and one three times as long",
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  const jobs = Math.ceil(sizes.jobs / 3);
  await using stack = await startBenchStack(context);
  const idle = await stack.start('projector');
  const { residentMb: idleMb } = usageOf(idle.pid);
  await idle.stop();
  const events = await publishBacklog(stack, jobs, say);
  await emptyStores(stack);
  const short = await drain(stack, say);
  const allEvents = events + (await publishBacklog(stack, 2 * jobs, say));
  await emptyStores(stack);
  const long = await drain(stack, say);
  const figures = { events, allEvents, idleMb, peakMb: short.peakMb, peakOfThriceMb: long.peakMb };
  return [
    {
      row: 'memory: peak during catch-up',
      ours: `${Math.max(short.peakMb, long.peakMb)} MB`,
      beside: `${idleMb} MB idle`,
      ratio: undefined,
      goal: `≤ ${GOAL_MB} MB`,
      verdict: Math.max(short.peakMb, long.peakMb) <= GOAL_MB ? 'met' : 'missed',
      figures,
    },
    {
      row: `memory: peak at ${allEvents} events`,
      ours: `${long.peakMb} MB`,
      beside: `${short.peakMb} MB at ${events} events`,
      ...atMost(long.peakMb / short.peakMb, FLAT),
      figures,
    },
  ];
}
