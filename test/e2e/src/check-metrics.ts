// What a scrape of Prometheus would make of the metrics of a process: the families in it, and promtool's complaints.
import { spawn } from 'node:child_process';
import { findPromtool } from '@trellis/devstack';

/** The text that a process answers a scrape with. */
export async function scrape(health: string): Promise<string> {
  const response = await fetch(`${health}/metrics`);
  if (!response.ok) throw new Error(`GET ${health}/metrics answers ${response.status}`);
  return response.text();
}

/** Names of the metrics in a scrape that have at least one value. */
export function familiesOf(text: string): string[] {
  const declared = [...text.matchAll(/^# TYPE (\S+) \S+$/gm)].map(([, name = '']) => name);
  return declared.filter((name) => new RegExp(`^${name}(_count)?(\\{| )`, 'm').test(text));
}

/** What `promtool check metrics` says of the text; empty when it has nothing to complain about. */
export async function lintMetrics(text: string): Promise<string> {
  const promtool = spawn(await findPromtool(), ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said: string[] = [];
  for (const output of [promtool.stdout, promtool.stderr]) output.on('data', (chunk) => said.push(String(chunk)));
  promtool.stdin.end(text);
  const code = await new Promise<number | null>((resolve, reject) => {
    promtool.once('error', reject);
    promtool.once('close', resolve);
  });
  return code === 0 ? said.join('') : `promtool ended with ${code}: ${said.join('')}`;
}
