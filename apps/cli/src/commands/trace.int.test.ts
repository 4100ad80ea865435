import { HistoryReply, TraceReply } from '@trellis/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningSystem, startSystem } from '../testing/running-system.ts';
import { runCli } from '../testing/spawn-cli.ts';

let system: RunningSystem;
let id: string;
beforeAll(async () => {
  system = await startSystem();
  id = await system.jobIn('failed', { instanceId: 'host-1' });
  await system.publish(id, 'completed', { state: 'completed' });
  await system.publish(id, 'logged', {
    logs: [{ timestamp: '2026-01-01T10:00:00.000Z', level: 'warn', message: 'shelf\u001b[2J empty' }],
  });
}, 90_000);
afterAll(() => system[Symbol.asyncDispose]());

const trellis = (...args: string[]) => runCli(['jobs', ...args, '--nats', system.nats.url]);

it('trace shows the creation, the attempts and the log lines', async () => {
  const { code, stdout, stderr } = await trellis('trace', id);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^create reserve-inventory +orders-service +\+0ms/m);
  expect(stdout).toMatch(/^└─ process reserve-inventory #1 ✗ +orders-service/m);
  expect(stdout).toContain(`out of stock: ${id}`);
  expect(stdout).toMatch(/10:00:00\.000 warn {2}shelf empty/);
  expect(stdout).not.toContain('\u001b');
  expect(stderr).toMatch(/spans and logs cannot be read now/);
  expect((await trellis('trace', id, '--no-logs')).stdout).not.toContain('shelf');
  const inJson = await trellis('trace', id, '--json');
  expect(TraceReply.parse(JSON.parse(inJson.stdout))).toMatchObject({ id, eventsOnly: true });
});

it('logs shows only the log lines', async () => {
  const { code, stdout } = await trellis('logs', id);
  expect([code, stdout]).toEqual([0, 'orders-service  10:00:00.000 warn  shelf empty\n']);
  expect(JSON.parse((await trellis('logs', id, '--own', '--json')).stdout)).toMatchObject([
    { jobId: id, level: 'warn' },
  ]);
  const silent = await system.jobIn('pending');
  expect((await trellis('logs', silent)).stdout).toBe('nothing was logged\n');
});

it('history shows every event, and for ignored ones the reason', async () => {
  const { code, stdout } = await trellis('history', id);
  expect(code).toBe(0);
  expect(stdout).toMatch(/created +pending/);
  expect(stdout).toMatch(/started +active +1 +host-1/);
  expect(stdout).toMatch(/completed +failed +1 +ignored: already-ended/);
  expect(stdout).toMatch(/5 events, 2 ignored\n$/);
  const some = HistoryReply.parse(JSON.parse((await trellis('history', id, '--limit', '2', '--json')).stdout));
  expect(some.entries.map(({ event }) => event.eventType)).toEqual(['created', 'started']);
  const rest = HistoryReply.parse(
    JSON.parse((await trellis('history', id, '--after', String(some.nextAfter), '--json')).stdout),
  );
  expect(rest.entries.map(({ event }) => event.eventType)).toEqual(['failed', 'completed', 'logged']);
});

it.for(['trace', 'logs', 'history'])('%s ends with 3 when there is no such job', async (command) => {
  expect(await trellis(command, 'nobody')).toMatchObject({
    code: 3,
    stdout: '',
    stderr: 'trellis: there is no job nobody\n',
  });
});
