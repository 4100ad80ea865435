// `npm run bench [-- <entry>…]`: runs entries of the bench one after another, prints the table, writes the JSON.
// The exit code is 0 whatever the figures are.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { BenchContext, BenchEntry, BenchResult, BenchSizes } from './bench-entry.ts';
import { catchUp } from './catch-up/catch-up.ts';
import { memory } from './catch-up/memory.ts';
import { rebuild } from './catch-up/rebuild.ts';
import { freshness } from './freshness/freshness.ts';
import { gatewayLoad } from './gateway-load/gateway-load.ts';
import { history } from './history/history.ts';
import { jobThroughput } from './job-throughput/job-throughput.ts';
import { keyed } from './job-throughput/keyed.ts';
import { medianOfRuns, type Run, readRun } from './median-of-runs.ts';
import { presence } from './presence/presence.ts';
import { asMarkdown, asTable, type Rig, readRig } from './print-results.ts';
import { query } from './query/query.ts';
import { queryGrowth } from './query/query-growth.ts';
import { startIdle } from './start-idle/start-idle.ts';

const ENTRIES: BenchEntry[] = [
  catchUp,
  memory,
  rebuild,
  freshness,
  query,
  queryGrowth,
  gatewayLoad,
  jobThroughput,
  keyed,
  presence,
  history,
  startIdle,
];

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number of at least 1');
  return value;
};

const earlierRun = (file: string, runs: Run[] = []): Run[] => {
  try {
    return [...runs, readRun(file)];
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
};

const command = new Command('bench')
  .description('Measures this system and the raw limit of its engines in one run.')
  .argument('[entries...]', `entries to run: ${ENTRIES.map(({ name }) => name).join(', ')} (default: all)`)
  .option('--jobs <n>', 'jobs of the backlogs of catch-up, memory and rebuild', count, 100_000)
  .option('--throughput-jobs <n>', 'jobs of job-throughput and keyed', count, 20_000)
  .option('--rounds <n>', 'repetitions; the median counts', count, 5)
  .option('--table-jobs <n>', 'jobs in the table that query and gateway-load read', count, 20_000)
  .option('--large-table-jobs <n>', 'jobs in the large table of query-growth', count, 2_000_000)
  .option('--freshness-jobs <n>', 'jobs that freshness watches', count, 600)
  .option('--events <n>', 'events of history', count, 10_000_000)
  .option('--seconds <n>', 'length of one steady load', count, 10)
  .option('--markdown <file>', 'also write the table as Markdown')
  .option('--median-of <files...>', 'measure nothing: show the medians of these files of bench/results/', earlierRun)
  .addOption(new Option('--redis-server <file>', 'the redis-server to run BullMQ on').env('REDIS_SERVER_BIN'))
  .parse();

const wanted = command.args;
const unknown = wanted.filter((name) => !ENTRIES.some((entry) => entry.name === name));
if (unknown.length > 0) {
  command.error(
    `unknown entry "${unknown.join('", "')}", expected one of: ${ENTRIES.map(({ name }) => name).join(', ')}`,
  );
}
const { markdown, medianOf, redisServer, ...sizes } = command.opts<
  BenchSizes & { markdown?: string; medianOf?: Run[]; redisServer?: string }
>();
const now = new Date();
if (medianOf) {
  for (const { rig } of medianOf.slice(0, 1)) show(rig, medianOfRuns(medianOf));
  process.exit();
}

// Child processes end with this one. Exit handlers remove its folders.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

const say = (line: string) => process.stderr.write(`bench: ${line}\n`);
const chosen = ENTRIES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const entries = new Set(chosen.map(({ name }) => name));
const context: BenchContext = { say, sizes, entries, versions: new Map(), redisServer };
const results: BenchResult[] = [];
for (const entry of chosen) {
  say(`${entry.name}: ${entry.measures}`);
  const started = performance.now();
  results.push(...(await measure(entry)));
  say(`${entry.name} took ${((performance.now() - started) / 1_000).toFixed(0)} s`);
}

const rig = readRig(context.versions);
show(rig, results);

const folder = join(import.meta.dirname, '..', '..', '..', 'bench', 'results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${now.toISOString().replace(/[:.]/g, '-')}.json`);
writeFileSync(file, `${JSON.stringify({ rig, sizes, results }, null, 2)}\n`);
process.stdout.write(`written to ${file}\n`);
process.exit();

function show(rig: Rig, shown: readonly BenchResult[]): void {
  process.stdout.write(`${asTable(rig, shown)}\n`);
  if (markdown) writeFileSync(markdown, asMarkdown(rig, shown, now));
}

/** The rows of an entry; a single row with the reason if it could not be measured. */
async function measure(entry: BenchEntry): Promise<BenchResult[]> {
  try {
    return await entry.run(context);
  } catch (error) {
    say(
      `${entry.name} could not be measured: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    const beside = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
    return [{ row: entry.name, ours: '', beside, ratio: undefined, goal: '', verdict: 'not measured', figures: {} }];
  }
}
