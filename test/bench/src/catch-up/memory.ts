// memory: the maximum resident memory of the projector while it drains a backlog, compared with its idle memory, and whether
// it grows with the backlog.
import { atMost, type BenchContext, type BenchEntry, type BenchResult } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { median } from '../latencies.ts';
import { backlogRounds, emptyStores, publishBacklog } from './backlog-rounds.ts';
import { drain } from './drain.ts';

const GOAL_MB = 250;
/** Maximum growth with a backlog three times as long. */
const FLAT = 1.2;

export const memory: BenchEntry = {
  name: 'memory',
  measures:
    "the projector's resident memory during catch-up, beside its idle, for a backlog and for one a third as long",
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { events, idleMb, rounds } = await backlogRounds(context);
  const peaks = rounds.map(({ first }) => first.peakMb);
  const short = await peaksOfShortBacklog(context, rounds.length);
  const most = Math.max(...peaks, ...short.peaks);
  const [peakMb, peakOfThirdMb] = [median(peaks), median(short.peaks)];
  const figures = {
    events,
    idleMb,
    peaks: peaks.join(' '),
    eventsOfThird: short.events,
    peaksOfThird: short.peaks.join(' '),
  };
  return [
    {
      row: 'memory: peak during catch-up',
      ours: `${most} MB`,
      beside: `${idleMb} MB idle`,
      ratio: undefined,
      goal: `≤ ${GOAL_MB} MB`,
      verdict: most <= GOAL_MB ? 'met' : 'missed',
      figures,
    },
    {
      row: `memory: peak at ${events} events`,
      ours: `${peakMb} MB`,
      beside: `${peakOfThirdMb} MB at ${short.events} events`,
      ...atMost(peakMb / peakOfThirdMb, FLAT),
      figures,
    },
  ];
}

async function peaksOfShortBacklog(
  context: BenchContext,
  rounds: number,
): Promise<{ events: number; peaks: number[] }> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context);
  const events = await publishBacklog(stack, Math.ceil(sizes.jobs / 3), say);
  const peaks: number[] = [];
  while (peaks.length < rounds) {
    await emptyStores(stack);
    peaks.push((await drain(stack, say)).peakMb);
  }
  return { events, peaks };
}
