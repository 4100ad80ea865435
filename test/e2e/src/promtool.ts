// Runs promtool, Prometheus' checker for metrics and rules, and scrapes processes.
import { spawn } from 'node:child_process';
import { findPromtool } from '@trellis/devstack';

/** The response of a process to a scrape. */
export async function scrape(health: string): Promise<string> {
  const response = await fetch(`${health}/metrics`);
  if (!response.ok) throw new Error(`GET ${health}/metrics answers ${response.status}`);
  return response.text();
}

/** Names of the metrics in a scrape with at least one value. */
export function familiesOf(text: string): string[] {
  const declared = [...text.matchAll(/^# TYPE (\S+) \S+$/gm)].map(([, name = '']) => name);
  return declared.filter((name) => new RegExp(`^${name}(_count)?(\\{| )`, 'm').test(text));
}

/** Runs promtool on `input`. The exit code is 0 if it has no complaint. */
export async function promtool(args: string[], input = ''): Promise<{ code: number | null; said: string }> {
  const child = spawn(await findPromtool(), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const said: string[] = [];
  for (const output of [child.stdout, child.stderr]) output.on('data', (chunk) => said.push(String(chunk)));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, said: said.join('') };
}
