// start and idle: the time of a warm `npm start` until everything is ready, and the cost of each idle process.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sleep } from '@trellis/async';
import type { BenchContext, BenchEntry, BenchResult } from '../bench-entry.ts';
import { ALL_COMPONENTS, benchFolder, removeFolder, root, startBenchStack } from '../bench-stack.ts';
import { usageOf } from '../process-usage.ts';
import { startTask } from '../run-task.ts';

const GOAL_START_S = 10;
const GOAL_MB = 120;
const GOAL_CORE = 0.01;
/** Time for the garbage collector to clean up after the start. */
const SETTLE_MS = 15_000;
const START_TIMEOUT_MS = 120_000;

export const startIdle: BenchEntry = {
  name: 'start-idle',
  measures: 'a warm npm start until everything is ready; memory and processor time of idle processes',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say } = context;
  const home = benchFolder();
  try {
    const cold = await startOnce(home);
    const warm = await startOnce(home);
    say(`npm start: ${cold.toFixed(1)} s with an empty home, ${warm.toFixed(1)} s with the one it made`);
    return [
      {
        row: 'start: npm start to ready',
        ours: `${warm.toFixed(1)} s`,
        beside: `${cold.toFixed(1)} s with an empty home`,
        ratio: undefined,
        goal: `≤ ${GOAL_START_S} s`,
        verdict: warm <= GOAL_START_S ? 'met' : 'missed',
        figures: { warmSeconds: warm, coldSeconds: cold },
      },
      ...(await idle(context)),
    ];
  } finally {
    removeFolder(home);
  }
}

/** Starts and stops the system. @returns seconds from the command until it reports that everything is up */
async function startOnce(home: string): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(root, 'infra/bootstrap/run.mjs'), 'start'], {
    env: { ...process.env, TRELLIS_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const up = new Promise<number>((resolve, reject) => {
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on('line', (line) => {
        lines.push(line);
        if (line.includes('is up after')) resolve((performance.now() - started) / 1_000);
      });
    }
    void ended.then(() => reject(new Error(`npm start ended:\n${lines.slice(-10).join('\n')}`)));
    setTimeout(
      () => reject(new Error(`npm start was not ready:\n${lines.slice(-10).join('\n')}`)),
      START_TIMEOUT_MS,
    ).unref();
  });
  try {
    return await up;
  } finally {
    child.kill('SIGINT');
    await ended;
  }
}

async function idle(context: BenchContext): Promise<BenchResult[]> {
  const { sizes, say } = context;
  await using stack = await startBenchStack(context);
  const components = await stack.startAll();
  await using worker = await startTask(join(import.meta.dirname, '..', 'freshness', 'run-jobs.ts'), {
    url: stack.urls.nats,
    name: 'idle',
  });
  const pids: Record<string, number> = {
    ...Object.fromEntries(components.map(({ pid }, index) => [ALL_COMPONENTS[index], pid])),
    'a service of the SDK': worker.pid,
  };
  await sleep(SETTLE_MS);
  const measured = () => Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usageOf(pid)]));
  const before = measured();
  await sleep(sizes.seconds * 1_000);
  return Object.entries(measured()).map(([name, { residentMb, cpuSeconds }]) => {
    const core = (cpuSeconds - (before[name]?.cpuSeconds ?? 0)) / sizes.seconds;
    say(`${name}: ${residentMb} MB, ${(core * 100).toFixed(1)} % of a core`);
    return {
      row: `idle: ${name}`,
      ours: `${residentMb} MB, ${(core * 100).toFixed(1)} % of a core`,
      beside: '',
      ratio: undefined,
      goal: `≤ ${GOAL_MB} MB, ≤ ${GOAL_CORE * 100} %`,
      verdict: residentMb <= GOAL_MB && core <= GOAL_CORE ? 'met' : 'missed',
      figures: { residentMb, core },
    };
  });
}
