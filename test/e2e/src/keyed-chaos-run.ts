// Runs the keyed chaos test by hand, at any size: node keyed-chaos-run.ts --processes 8 --keys 200 --jobs 20000 …
import { parseArgs } from 'node:util';
import { type ChaosOptions, runKeyedChaos } from './keyed-chaos.ts';

const DEFAULTS: ChaosOptions = {
  processes: 8,
  keys: 200,
  jobs: 20_000,
  maxActive: 1,
  maxQueuedPerKey: 100,
  ttlMs: 20_000,
  concurrency: 8,
  workMs: 50,
  faultEveryMs: 3_000,
  freezes: 1,
  seed: Date.now() % 100_000,
  timeoutMs: 900_000,
};

const dashed = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const names = Object.keys(DEFAULTS) as (keyof ChaosOptions)[];
const { values } = parseArgs({
  options: Object.fromEntries([...names.map(dashed), 'log-level'].map((name) => [name, { type: 'string' as const }])),
});
const given = names.flatMap((name) => {
  const value = values[dashed(name)];
  return value === undefined ? [] : [[name, Number(value)]];
});
const options: ChaosOptions = { ...DEFAULTS, ...Object.fromEntries(given) };
const level = values['log-level'];
if (level === 'debug' || level === 'info' || level === 'warn' || level === 'error') options.logLevel = level;
console.log(JSON.stringify(options));
const report = await runKeyedChaos(options);
console.log(
  JSON.stringify({ ...report, open: report.open.length, violations: report.violations.slice(0, 50) }, undefined, 1),
);
process.exitCode = report.violations.length > 0 || report.open.length > 0 ? 1 : 0;
