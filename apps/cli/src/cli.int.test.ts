import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { type HealthReply, type Job, JobReply, type LifecycleEvent, ListReply } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { startTestNats } from '@trellis/test-support';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningSystem, sampleEvent, startSystem } from './testing/running-system.ts';
import { type Ended, runCli, spawnCli } from './testing/spawn-cli.ts';

let system: RunningSystem;

beforeAll(async () => {
  system = await startSystem();
}, 90_000);
afterAll(() => system[Symbol.asyncDispose]());

const trellis = (...args: string[]): Promise<Ended> => runCli(['jobs', ...args, '--nats', system.nats.url]);
const jsonOf = async <T>(...args: string[]): Promise<T> => {
  const { code, stdout, stderr } = await trellis(...args, '--json');
  expect(stderr).toBe('');
  expect([0, 7, 8]).toContain(code);
  return JSON.parse(stdout);
};

const publish: RunningSystem['publish'] = (...event) => system.publish(...event);
const projected = () => system.projected();

async function jobIn(...job: Parameters<RunningSystem['jobIn']>): Promise<string> {
  const id = await system.jobIn(...job);
  await projected();
  return id;
}

describe('trellis jobs list', () => {
  it('shows aligned columns, the number of further jobs, and no colours without a terminal', async () => {
    const dead = await jobIn('dead');
    await jobIn('pending');
    const { code, stdout } = await trellis('list', '--limit', '2');
    expect(code).toBe(0);
    const [heading = '', ...lines] = stdout.trimEnd().split('\n');
    expect(heading).toMatch(/^ID +SERVICE +TYPE +STATE +TRIES +CREATED +UPDATED +ERROR$/);
    const at = heading.indexOf('STATE');
    expect(lines.slice(0, 2).map((line) => line.slice(at).split(' ')[0])).toEqual(['pending', 'dead']);
    expect(lines[1]).toContain(dead);
    expect(lines[1]).toMatch(/1\/5 +(now|\d+s ago) +(now|\d+s ago) +out of stock: /);
    expect(lines[2]).toMatch(/^2 of \d+/);
    expect(stdout).not.toContain('\u001b');
  });

  it('colours states with FORCE_COLOR, and not with NO_COLOR', async () => {
    const args = ['jobs', 'list', '--nats', system.nats.url];
    await jobIn('pending');
    expect((await runCli(args, { FORCE_COLOR: '1' })).stdout).toContain('\u001b[');
    expect((await runCli(args, { NO_COLOR: '1' })).stdout).not.toContain('\u001b[');
  });

  it('applies every filter, pages by cursor, and prints one JSON document', async () => {
    const own = { jobType: 'charge-payment' };
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift(await jobIn('failed', own));
    const filter = [
      '--service',
      'orders-service',
      '--type',
      own.jobType,
      '--state',
      'failed',
      '--state',
      'stale,expired',
    ];
    const first = ListReply.parse(await jsonOf('list', ...filter, '--limit', '2', '--since', '1h'));
    expect(first.entries.map((job) => job.id)).toEqual(ids.slice(0, 2));
    expect(first.count).toBe(3);
    const rest = ListReply.parse(await jsonOf('list', ...filter, '--since', '1h', '--cursor', first.nextCursor ?? ''));
    expect(rest.entries.map((job) => job.id)).toEqual(ids.slice(2));
    const offset = ListReply.parse(await jsonOf('list', ...filter, '--offset', '1', '--oldest'));
    expect(offset.entries.map((job) => job.id)).toEqual(ids.slice(0, 2).reverse());
    const [searched] = ids;
    expect(
      ListReply.parse(await jsonOf('list', '--search', `STOCK: ${searched}`)).entries.map((job) => job.id),
    ).toEqual([searched]);
    expect(ListReply.parse(await jsonOf('list', '--request', `request-of-${searched}`)).count).toBe(1);
    expect(ListReply.parse(await jsonOf('list', '--trace', 'ff'.repeat(16))).count).toBe(0);
    const { stdout } = await trellis('list', ...filter, '--limit', '1');
    expect(stdout).toMatch(/\n1 of 3 \(next page: --cursor [\w-]+\)\n$/);
  });

  it('reports that no jobs match', async () => {
    expect(await trellis('list', '--service', 'nobody')).toEqual({ code: 0, stdout: 'no jobs match\n', stderr: '' });
  });
});

describe('trellis jobs get', () => {
  it('shows every field of a job, without control sequences', async () => {
    const id = await jobIn('active', {
      payload: { sku: 'A-1', nasty: '\u001b[2J\u009b2J' },
      deadline: '2031-01-01T00:00:00.000Z',
    });
    await publish(id, 'progress', { progress: { step: 'pick', current: 1, total: 3 } });
    await publish(id, 'logged', {
      logs: [{ timestamp: '2026-01-01T10:00:00.000Z', level: 'warn', message: 'shelf\u001b]0;x\u0007 empty' }],
    });
    await publish(id, 'completed', { state: 'completed', result: { shelf: 7 } });
    await projected();
    const { code, stdout } = await trellis('get', id);
    expect(code).toBe(0);
    for (const part of [
      `${id}  orders-service / reserve-inventory`,
      /state +completed/,
      /tries +1 of 5/,
      /progress +1\/3 +pick/,
      /deadline +2031-01-01 00:00:00 UTC \(in /,
      `request-of-${id}`,
      'ab'.repeat(16),
      '"sku": "A-1"',
      '"shelf": 7',
      /10:00:00\.000 +warn +shelf +empty/,
    ]) {
      expect(stdout).toMatch(part);
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(stdout).not.toMatch(/[\u001b\u0007\u009b]/);
    expect(await jsonOf<Job>('get', id)).toMatchObject({ id, state: 'completed', result: { shelf: 7 } });
  });

  it('ends with 3 when there is no such job', async () => {
    const { code, stdout, stderr } = await trellis('get', 'nobody');
    expect([code, stdout, stderr]).toEqual([3, '', 'trellis: there is no job nobody\n']);
    const inJson = await trellis('get', 'nobody', '--json');
    expect(JSON.parse(inJson.stderr)).toMatchObject({ error: { code: 'not-found', resource: 'job', jobId: 'nobody' } });
  });
});

describe('trellis jobs cancel', () => {
  it('cancels a waiting job, asks a running one to stop, forces on request, and records actor and reason', async () => {
    const pending = await jobIn('pending');
    expect((await trellis('cancel', pending, '--yes', '--reason', 'customer called', '--actor', 'ann')).stdout).toBe(
      `${pending} (orders-service/reserve-inventory) is cancelled\n`,
    );
    const { events } = await system.stream.readJob(pending);
    expect(events.at(-1)?.event).toMatchObject({ actor: { kind: 'operator', id: 'ann' }, reason: 'customer called' });
    const active = await jobIn('active');
    expect((await trellis('cancel', active, '--yes')).stdout).toMatch(/ is active and was asked to stop/);
    await projected();
    expect((await trellis('list', '--state', 'active')).stdout).toContain('active (cancel asked)');
    expect((await trellis('cancel', active, '--force', '--yes')).stdout).toMatch(/ is cancelled: it was running/);
    expect(JobReply.parse(await jsonOf('cancel', await jobIn('pending'), '--yes')).job.state).toBe('cancelled');
  });

  it('ends with 4 if the state does not accept it, and names the states that do', async () => {
    const id = await jobIn('failed');
    const { code, stderr } = await trellis('cancel', id, '--yes');
    expect([code, stderr]).toEqual([4, `trellis: job ${id} is failed; Jobs.Cancel accepts pending, active, retry\n`]);
  });
});

describe('trellis jobs health', () => {
  it('shows each part, and the exit code follows the status', async () => {
    const health = await jsonOf<HealthReply>('health');
    const { code, stdout } = await trellis('health');
    expect(code).toBe({ healthy: 0, degraded: 7, unhealthy: 8 }[health.status]);
    for (const check of health.checks) expect(stdout).toMatch(new RegExp(`^${check.name} +${check.status}`, 'm'));
    expect(stdout).toMatch(/pipeline-current +healthy +up to date/);
    expect(stdout.trimEnd()).toMatch(new RegExp(`trellis-jobs is ${health.status}$`));
  });
});

describe('trellis jobs watch', () => {
  it('follows events as they happen, filtered, and ends with 0 on Ctrl-C', async () => {
    await using watching = spawnCli([
      'jobs',
      'watch',
      '--nats',
      system.nats.url,
      '--state',
      'completed',
      '--since',
      '1h',
      '--json',
    ]);
    const id = ulid();
    await publish(id, 'created', { state: 'pending', payload: 1 });
    await publish(id, 'completed', { state: 'completed' });
    let seen: { event: LifecycleEvent };
    do {
      const { value } = await watching.lines.next();
      seen = JSON.parse(value);
      expect(seen.event.state).toBe('completed');
    } while (seen.event.jobId !== id);
    watching.process.kill('SIGINT');
    expect(await watching.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('with an id shows the events of the job, continues after a restart of the server, and ends when the job has ended', async () => {
    await using own = await startTestNats();
    const connection = await own.connect();
    await provision(connection);
    const stream = await JobStream.open(connection);
    const happens = (...event: Parameters<typeof sampleEvent>) => stream.publish(sampleEvent(...event));
    const id = ulid();
    await happens(id, 'created', { state: 'pending', payload: 1, maxTries: 3 });
    await happens(id, 'started');
    await using watching = spawnCli(['jobs', 'watch', id, '--nats', own.url]);
    expect((await watching.lines.next()).value).toMatch(
      new RegExp(`^[\\d:.]{12}  ${id} +orders-service/reserve-inventory +created +up to 3 attempts$`),
    );
    expect((await watching.lines.next()).value).toMatch(/started +attempt 1$/);
    await own.kill();
    await own.restart();
    await happens(id, 'retry', { state: 'retry', error: 'line one\nline two' });
    expect((await watching.lines.next()).value).toMatch(/retry +line one line two$/);
    await happens(id, 'completed', { state: 'completed' });
    expect((await watching.lines.next()).value).toMatch(/completed$/);
    expect((await watching.ended).code).toBe(0);
  });

  it('ends immediately for a job that has ended, even if it had been retried before', async () => {
    const id = ulid();
    await publish(id, 'created', { state: 'pending', payload: 1 });
    await publish(id, 'failed', { state: 'failed', error: 'x' });
    await publish(id, 'retried', { state: 'pending' });
    await publish(id, 'completed', { state: 'completed' });
    const { code, stdout } = await trellis('watch', id);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(4);
  });
});

describe('trellis jobs provision', () => {
  it('reports the created streams, and that a second run changes nothing', async () => {
    await using own = await startTestNats();
    const run = () => runCli(['jobs', 'provision', '--nats', own.url]);
    const first = await run();
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^JOBS +created$/m);
    expect(first.stdout).toMatch(/^JOBS_WORK +created$/m);
    expect((await run()).stdout).toMatch(/^JOBS +unchanged$/m);
  });

  it('migrates a JOBS stream that still stores heartbeats only with --migrate', async () => {
    await using own = await startTestNats();
    const manager = await jetstreamManager(await own.connect());
    await manager.streams.add({ name: 'JOBS', subjects: ['trellis.jobs.>'], allow_direct: true });
    const run = (...args: string[]) => runCli(['jobs', 'provision', '--nats', own.url, ...args]);
    const subjects = async () => (await manager.streams.info('JOBS')).config.subjects;
    expect((await run()).stdout).toMatch(/^JOBS +unchanged +stores heartbeats too .*--migrate/m);
    expect(await subjects()).toEqual(['trellis.jobs.>']);
    expect((await run('--migrate')).stdout).toMatch(/^JOBS +migrated/m);
    expect(await subjects()).toEqual(['trellis.jobs.*.*.*.*']);
  });

  it('ends with 6 and shows the difference if a stream differs', async () => {
    await using own = await startTestNats();
    const manager = await jetstreamManager(await own.connect());
    await manager.streams.add({ name: 'JOBS', subjects: ['trellis.jobs.*.*.*.*'], allow_direct: false });
    const { code, stderr } = await runCli(['jobs', 'provision', '--nats', own.url]);
    expect(code).toBe(6);
    expect(stderr).toMatch(/stream JOBS, allow_direct: expected true, found false/);
    const inJson = await runCli(['jobs', 'provision', '--nats', own.url, '--json']);
    expect(JSON.parse(inJson.stderr).error.differences).toContainEqual({
      stream: 'JOBS',
      field: 'allow_direct',
      expected: true,
      found: false,
    });
  });
});

describe('invalid arguments', () => {
  it('end with 2 and a hint', async () => {
    const { code, stdout, stderr } = await runCli(['jobs', 'list', '--sevice', 'x']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe("error: unknown option '--sevice'\n(Did you mean --service?)\n");
  });

  it('include every field that the gateway refuses', async () => {
    const { code, stderr } = await trellis('list', '--service', 'a.b', '--type', 'c d');
    expect(code).toBe(2);
    expect(stderr).toMatch(/service: expected letters[\s\S]*type: expected letters/);
  });
});

describe('the address of the system', () => {
  it('is NATS_URL, else that of run.json in TRELLIS_HOME', async () => {
    const home = mkdtempSync(join(tmpdir(), 'trellis-cli-'));
    try {
      expect((await runCli(['jobs', 'list'], { NATS_URL: system.nats.url, TRELLIS_HOME: home })).code).toBe(0);
      writeFileSync(
        join(home, 'run.json'),
        JSON.stringify({ pid: 1, nats: system.nats.url, natsOptions: {}, more: true }),
      );
      expect((await runCli(['jobs', 'list'], { TRELLIS_HOME: home })).code).toBe(0);
      expect((await runCli(['jobs', 'list'], { NATS_URL: 'nats://127.0.0.1:1', TRELLIS_HOME: home })).code).toBe(5);
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  it('may contain credentials', async () => {
    await using own = await startTestNats({ extraConfig: 'authorization { user: ann, password: "p@ss:word" }' });
    const url = (user: string) => own.url.replace('//', `//${user}@`);
    // NATS accepts the credentials: the error is that no gateway runs.
    expect((await runCli(['jobs', 'list', '--nats', url('ann:p%40ss%3Aword')])).stderr).toMatch(
      /nobody answers rpc\.v1\.Jobs\.List/,
    );
    const refused = await runCli(['jobs', 'list', '--nats', url('ann:wrong')]);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toMatch(/authorization/i);
    expect(refused.stderr).not.toContain('wrong');
  });

  it('is named with what to do if nothing answers there, with exit code 5', async () => {
    const { code, stdout, stderr } = await runCli(['jobs', 'list', '--nats', 'nats://127.0.0.1:1']);
    expect([code, stdout]).toEqual([5, '']);
    expect(stderr).toMatch(
      /no NATS connection to nats:\/\/127\.0\.0\.1:1[\s\S]*from --nats\. Is it running\? npm start/,
    );
    await using lonely = await startTestNats();
    const alone = await runCli(['jobs', 'health', '--nats', lonely.url]);
    expect(alone.code).toBe(5);
    expect(alone.stderr).toMatch(/nobody answers rpc\.v1\.Jobs\.Health: is the jobs gateway running/);
  });
});
