// Formats the results as a table for the terminal and as one in Markdown.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import Table from 'cli-table3';
import type { BenchResult } from './bench-entry.ts';

const HEAD = ['entry', 'ours', 'beside', 'ratio', 'goal', 'verdict'];
const LIBRARIES = [
  '@nats-io/transport-node',
  '@nats-io/jetstream',
  'pg',
  '@clickhouse/client',
  'bullmq',
  'graphile-worker',
];

export interface Rig {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  versions: Record<string, string>;
}

/** This machine, and the versions of the measured software. */
export function readRig(servers: ReadonlyMap<string, string>): Rig {
  const { resolve } = createRequire(import.meta.url);
  const libraries = LIBRARIES.map((name) => [name, versionOf(resolve.paths(name) ?? [], name)]);
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    versions: { node: process.version, ...Object.fromEntries([...servers, ...libraries]) },
  };
}

function versionOf(folders: string[], name: string): string {
  for (const folder of folders) {
    try {
      return (JSON.parse(readFileSync(`${folder}/${name}/package.json`, 'utf8')) as { version: string }).version;
    } catch {
      // Not installed in this package.
    }
  }
  return 'unknown';
}

const cellsOf = ({ row, ours, beside, ratio, goal, verdict }: BenchResult): string[] => [
  row,
  ours,
  beside,
  ratio === undefined ? '' : ratio.toFixed(2),
  goal,
  verdict,
];

const rigLine = ({ cpu, cores, memoryGiB, system }: Rig) => `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}`;
const versionLine = ({ versions }: Rig) =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');

/** For the terminal. */
export function asTable(rig: Rig, results: readonly BenchResult[]): string {
  const table = new Table({ head: HEAD, style: { head: [], border: [] } });
  table.push(...results.map(cellsOf));
  return [rigLine(rig), versionLine(rig), table.toString()].join('\n');
}

/** The same in Markdown. */
export function asMarkdown(rig: Rig, results: readonly BenchResult[], at: Date): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    `Measured on ${at.toISOString().slice(0, 10)}: ${rigLine(rig)}; ${versionLine(rig)}.`,
    '',
    line(HEAD),
    line(HEAD.map(() => '---')),
    ...results.map((result) => line(cellsOf(result))),
    '',
  ].join('\n');
}
