// keyed: jobs in a queue where at most one job per key runs, compared with the same jobs in a queue without keys.
import { atLeast, type BenchContext, type BenchEntry, type BenchResult, reported } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { median, rate } from '../latencies.ts';
import { flat } from './job-throughput.ts';
import { measureRound, ROUND_SETTINGS, type RoundFigures } from './measure-system.ts';

const GOAL = 0.4;
const KEYS = 1_000;

export const keyed: BenchEntry = {
  name: 'keyed',
  measures: `create → run → completed over ${KEYS} keys, one job of a key at a time, beside a queue without keys`,
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  const jobs = sizes.throughputJobs;
  await using stack = await startBenchStack(context, ['nats']);
  const rounds: { plain: RoundFigures[]; keyed: RoundFigures[] } = { plain: [], keyed: [] };
  for (let round = 1; round <= sizes.rounds; round++) {
    for (const kind of ['plain', 'keyed'] as const) {
      const figures = await measureRound({
        system: 'trellis',
        url: stack.urls.nats,
        name: `${kind}-${round}`,
        jobs,
        keys: kind === 'keyed' ? KEYS : 0,
      });
      rounds[kind].push(figures);
      say(`round ${round}, ${kind}: create ${rate(jobs, figures.createMs)}, run ${rate(jobs, figures.processMs)}`);
    }
  }
  const total = ({ createMs, processMs }: RoundFigures) => createMs + processMs;
  const compare = (row: string, msOf: (figures: RoundFigures) => number) => {
    const ratio = median(rounds.keyed.map((ours, index) => msOf(rounds.plain[index] as RoundFigures) / msOf(ours)));
    return {
      row,
      ours: rate(jobs, median(rounds.keyed.map(msOf))),
      beside: `${rate(jobs, median(rounds.plain.map(msOf)))} without keys`,
      ratio,
      figures: {
        jobs,
        keys: KEYS,
        rounds: sizes.rounds,
        ...ROUND_SETTINGS,
        durability: 'nats: file storage, default sync interval',
        ...flat(rounds.keyed[0] as RoundFigures),
      },
    };
  };
  const whole = compare('keyed: create and run', total);
  return [
    { ...whole, ...atLeast(whole.ratio, GOAL) },
    { ...reported, ...compare('keyed: create', ({ createMs }) => createMs) },
    { ...reported, ...compare('keyed: run', ({ processMs }) => processMs) },
  ];
}
