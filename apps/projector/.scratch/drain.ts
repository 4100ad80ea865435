import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { openPostgres } from '@trellis/store-postgres';
const { nats, pg: url } = JSON.parse(readFileSync('/tmp/pjbench.json', 'utf8'));
const pg = openPostgres({ url, maxConnections: 1 });
await pg.query('drop schema if exists trellis_jobs cascade');
const last = Number(process.argv[2] ?? 150_000);
const t = performance.now();
const child = spawn(process.execPath, [...(process.env['NODE_ARGS'] ?? '').split(' ').filter(Boolean), 'src/main.ts'], { cwd: import.meta.dirname + '/..', stdio: 'inherit', env: { ...process.env, PIPELINES: 'current', NATS_URL: nats, DATABASE_URL: url, LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'warn' } });
let peak = 0;
const pgPid = async () => { const { rows } = await pg.query<{ pid: number }>(`select pid from pg_stat_activity where application_name like 'trellis projector%'`); return rows.map((r) => r.pid); };
const cpu = (pid: number) => { try { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[11]) + Number(f[12])) / 100; } catch { return 0; } };
let pos = 0, firstAt = 0;
while (pos < last) {
  await new Promise((r) => setTimeout(r, 50));
  try { pos = (await pg.query<{ position: number }>('select position from pipelines')).rows[0]?.position ?? 0; } catch {}
  if (pos > 0 && !firstAt) firstAt = performance.now() - t;
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
  peak = Math.max(peak, rss);
}
const s = (performance.now() - t) / 1000;
console.log({ seconds: s.toFixed(1), startup: (firstAt / 1000).toFixed(1), perSec: Math.round(last / (s - firstAt / 1000)), nodeCpu: cpu(child.pid!), pgCpu: (await pgPid()).map(cpu), peakMb: Math.round(peak) });
child.kill('SIGTERM'); await new Promise((r) => child.once('exit', r)); await pg.close();
