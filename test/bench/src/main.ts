// `npm run bench [-- <entry>…]`: runs entries of the bench one after the other, prints the table, writes the JSON.
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import type { BenchEntry, BenchResult } from './bench-entry.ts';
import { catchUp } from './catch-up.ts';

const ENTRIES: BenchEntry[] = [catchUp];

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number of at least 1');
  return value;
};

const command = new Command('bench')
  .description('Measures this system beside the raw limit of the engines it stands on, in one run.')
  .argument('[entries...]', `which to run: ${ENTRIES.map(({ name }) => name).join(', ')} (default: all)`)
  .option('--jobs <n>', 'jobs to generate', count, 100_000)
  .parse();

const wanted = command.args;
const unknown = wanted.filter((name) => !ENTRIES.some((entry) => entry.name === name));
if (unknown.length > 0) {
  command.error(
    `unknown entry "${unknown.join('", "')}", expected one of: ${ENTRIES.map(({ name }) => name).join(', ')}`,
  );
}

const rig = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${platform()} ${release()} ${arch()}`,
  node: process.version,
};
const say = (line: string) => process.stderr.write(`bench: ${line}\n`);
const results: BenchResult[] = [];
const failures: string[] = [];
for (const entry of ENTRIES) {
  if (wanted.length > 0 && !wanted.includes(entry.name)) continue;
  say(`${entry.name}: ${entry.measures}`);
  try {
    results.push(...(await entry.run({ say, jobs: command.opts<{ jobs: number }>().jobs })));
  } catch (error) {
    failures.push(entry.name);
    say(
      `${entry.name} could not be measured: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}

const table = new Table({
  head: ['entry', 'ours', 'beside', 'ratio', 'goal', 'verdict'],
  style: { head: [], border: [] },
});
for (const { row, ours, beside, ratio, goal, verdict } of results) {
  table.push([row, ours, beside, ratio === undefined ? '' : ratio.toFixed(2), goal, verdict]);
}
console.log(`${rig.cpu}, ${rig.cores} cores, ${rig.memoryGiB} GiB, ${rig.system}, Node ${rig.node}`);
console.log(table.toString());

const folder = join(import.meta.dirname, '..', '..', '..', 'bench', 'results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${new Date().toISOString().replace(/[:.]/g, '-')}.json`);
writeFileSync(file, `${JSON.stringify({ rig, results, failures }, null, 2)}\n`);
console.log(`written to ${file}`);
process.exitCode = failures.length > 0 ? 1 : 0;
