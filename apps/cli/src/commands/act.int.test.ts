// `trellis jobs cancel`, `retry`, `replay` and `dismiss` against a running system.
import { userInfo } from 'node:os';
import { waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { report } from '../cli.ts';
import { buildProgram } from '../program.ts';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { type RunningSystem, startSystem } from '../testing/running-system.ts';
import { runCli } from '../testing/spawn-cli.ts';

let system: RunningSystem;
beforeAll(async () => {
  system = await startSystem();
}, 90_000);
afterAll(() => system[Symbol.asyncDispose]());

/** Runs the program in this process, with these answers at the terminal. */
async function atTerminal(answers: string[], ...args: string[]) {
  const terminal = recordedTerminal(undefined, answers);
  let code = 0;
  try {
    await buildProgram(terminal).parseAsync(['jobs', ...args, '--nats', system.nats.url], { from: 'user' });
  } catch (error) {
    code = report(error, terminal, args.includes('--json'));
  }
  return { code, asked: terminal.asked, printed: terminal.printed.join('\n'), remarked: terminal.remarked.join('\n') };
}
const trellis = (...args: string[]) => runCli(['jobs', ...args, '--nats', system.nats.url]);
const stateOf = async (id: string) => (await system.client.rpc.jobs.get({ id })).state;
const lastEvent = async (id: string) => (await system.stream.readJob(id)).events.at(-1)?.event;

describe('one job', () => {
  it('is retried or replayed without confirmation, and records actor and reason', async () => {
    const failed = await system.jobIn('failed');
    const dead = await system.jobIn('dead');
    await system.projected();
    expect(await trellis('retry', failed, '--reason', 'fixed', '--actor', 'ann')).toEqual({
      code: 0,
      stdout: `${failed} (orders-service/reserve-inventory) is pending\n`,
      stderr: '',
    });
    expect(await lastEvent(failed)).toMatchObject({
      eventType: 'retried',
      reason: 'fixed',
      actor: { kind: 'operator', id: 'ann' },
    });
    const { stdout } = await trellis('replay', dead, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ job: { id: dead, state: 'pending', tries: 0 } });
    expect(await lastEvent(dead)).toMatchObject({ actor: { kind: 'operator', id: userInfo().username } });
  });

  it('is refused with 4 in a state that the command does not accept', async () => {
    const dead = await system.jobIn('dead');
    await system.projected();
    const { code, stderr } = await trellis('retry', dead);
    expect([code, stderr]).toEqual([4, `trellis: job ${dead} is dead; Jobs.Retry accepts failed\n`]);
  });

  it('is dismissed or cancelled only after a yes at the terminal', async () => {
    const dead = await system.jobIn('dead');
    const pending = await system.jobIn('pending');
    await system.projected();
    const declined = await atTerminal(['n'], 'dismiss', dead);
    expect(declined).toMatchObject({
      code: 10,
      printed: '',
      asked: [`Dismiss ${dead} (orders-service/reserve-inventory), which is dead? [y/N] `],
      remarked: 'trellis: nothing was done',
    });
    expect((await atTerminal([''], 'cancel', pending)).code).toBe(10);
    expect([await stateOf(dead), await stateOf(pending)]).toEqual(['dead', 'pending']);
    expect(await atTerminal(['y'], 'dismiss', dead, '--reason', 'obsolete')).toMatchObject({
      code: 0,
      printed: `${dead} (orders-service/reserve-inventory) is dismissed`,
    });
    expect(await lastEvent(dead)).toMatchObject({ eventType: 'dismissed', reason: 'obsolete' });
    expect(await atTerminal([], 'cancel', pending, '--yes')).toMatchObject({ code: 0, asked: [] });
  });

  it('without a terminal and without --yes nothing destructive happens, and the way out is named', async () => {
    const dead = await system.jobIn('dead');
    for (const args of [
      ['dismiss', dead],
      ['cancel', dead],
      ['replay', '--all'],
    ]) {
      const { code, stderr } = await trellis(...args);
      expect(code).toBe(2);
      expect(stderr).toMatch(/asks before it acts, and there is no terminal to ask on; add --yes/);
    }
    expect(await system.client.rpc.jobs.get({ id: dead })).toMatchObject({ state: 'dead' });
  });
});

describe('all that match a filter', () => {
  it('are counted and shown first, then acted on, oldest first and no more than the limit', async () => {
    const type = 'replayed-type';
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.push(await system.jobIn('dead', { jobType: type, error: 'card declined: 51' }));
    await system.jobIn('dead', { jobType: type, error: 'something else' });
    await system.jobIn('failed', { jobType: type, error: 'card declined' });
    await system.projected();
    const filter = ['--service', 'orders-service', '--type', type, '--error', 'CARD declined', '--limit', '6'];
    const dry = await atTerminal([], 'replay', ...filter, '--dry-run');
    expect(dry).toMatchObject({ code: 0, asked: [], printed: 'would replay 6 jobs' });
    const declined = await atTerminal(['no'], 'replay', ...filter);
    expect(declined).toMatchObject({ code: 10, asked: ['Replay 6 jobs? [y/N] '] });
    expect(declined.remarked).toContain('7 jobs match; these are the oldest 6:');
    expect(declined.remarked).toMatch(new RegExp(`6 +orders-service/${type} dead`));
    expect(declined.remarked).toMatch(new RegExp(`${ids[0]} +created .*card declined: 51`));
    expect(declined.remarked).toContain('… and 1 more');
    expect(await Promise.all(ids.map(stateOf))).toEqual(Array(7).fill('dead'));

    const done = await atTerminal(['yes'], 'replay', ...filter, '--reason', 'bank is back');
    expect(done.code).toBe(0);
    expect(done.printed.split('\n').slice(1)).toEqual([
      ...ids.slice(0, 6).map((id) => expect.stringMatching(new RegExp(`^${id} +done +pending$`))),
      '6 done',
    ]);
    await system.projected();
    expect(await Promise.all(ids.map(stateOf))).toEqual([...Array(6).fill('pending'), 'dead']);
    expect(await lastEvent(ids[0] ?? '')).toMatchObject({ eventType: 'retried', reason: 'bank is back' });
  });

  it('are reported one by one, and the exit code is 9 if some fail', async () => {
    const type = 'raced-type';
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(await system.jobIn('dead', { jobType: type }));
    await system.projected();
    const [first, second = '', third] = ids;
    // Another operator has already replayed one of the jobs that were shown.
    const terminal = recordedTerminal(undefined, ['y']);
    const slow = {
      ...terminal,
      ask: async (question: string) => {
        await system.client.rpc.jobs.dismissDLQ({ id: second });
        return terminal.ask(question);
      },
    };
    const args = ['jobs', 'replay', '--type', type, '--json', '--nats', system.nats.url];
    const error = await buildProgram(slow)
      .parseAsync(args, { from: 'user' })
      .then(
        () => undefined,
        (thrown) => thrown,
      );
    expect(report(error, recordedTerminal(), true)).toBe(9);
    expect(JSON.parse(terminal.printed.join(''))).toEqual({
      matched: 3,
      done: 2,
      failed: 1,
      notTried: 0,
      jobs: [
        { id: first, outcome: 'done', state: 'pending' },
        {
          id: second,
          outcome: 'failed',
          error: { code: 'state-conflict', message: expect.stringMatching(/is dismissed/) },
        },
        { id: third, outcome: 'done', state: 'pending' },
      ],
    });
  });

  it('are read from all pages, and without a terminal --yes is required', async () => {
    const type = 'many-type';
    const count = 1_050;
    await Promise.all(Array.from({ length: count }, () => system.jobIn('pending', { jobType: type })));
    await system.projected();
    const { code, stdout, stderr } = await trellis(
      'cancel',
      '--type',
      type,
      '--yes',
      '--json',
      '--limit',
      '2000',
      '--concurrency',
      '32',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ matched: count, done: count, failed: 0, notTried: 0 });
    expect(stderr).toContain(`1000 of ${count}\n`);
    await waitFor(
      async () => (await system.client.rpc.jobs.list({ type, state: ['cancelled'], limit: 1 })).count === count,
      { what: 'all to be cancelled' },
    );
    expect(await trellis('cancel', '--type', type, '--yes')).toEqual({
      code: 0,
      stdout: 'no jobs match\n',
      stderr: '',
    });
  });

  it('several ids are confirmed with one question', async () => {
    const ids = [await system.jobIn('failed'), await system.jobIn('failed')];
    await system.projected();
    expect(await atTerminal(['y'], 'retry', ...ids, ids[0] ?? '')).toMatchObject({
      code: 0,
      asked: ['Retry these 2 jobs? [y/N] '],
    });
    expect(await Promise.all(ids.map(stateOf))).toEqual(['pending', 'pending']);
  });
});

describe('trellis jobs dlq', () => {
  it('lists dead jobs only', async () => {
    const dead = await system.jobIn('dead', { jobType: 'dlq-type' });
    await system.jobIn('failed', { jobType: 'dlq-type' });
    await system.projected();
    const { stdout } = await trellis('dlq', '--type', 'dlq-type', '--json');
    expect(JSON.parse(stdout).entries.map((job: { id: string }) => job.id)).toEqual([dead]);
  });
});
