import { Fault, type FaultCode } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { report } from './cli.ts';
import { buildProgram } from './program.ts';
import { recordedTerminal } from './testing/recorded-terminal.ts';

async function run(args: string[]) {
  const terminal = recordedTerminal();
  let code = 0;
  try {
    await buildProgram(terminal).parseAsync(args, { from: 'user' });
  } catch (error) {
    code = report(error, terminal, false);
  }
  return { code, printed: terminal.printed.join('\n'), remarked: terminal.remarked.join('\n') };
}

it.for<[string[], RegExp]>([
  [['jobs', 'lst'], /unknown command 'lst'\n\(Did you mean list\?\)/],
  [['job'], /unknown command 'job'\n\(Did you mean jobs\?\)/],
  [['jobs', 'list', '--sevice', 'x'], /unknown option '--sevice'\n\(Did you mean --service\?\)/],
  [['jobs', 'list', '--state', 'ded'], /"ded" is not a state\. Did you mean dead\? Expected one of: pending, /],
  [['jobs', 'list', '--state', 'dead,nonsense'], /"nonsense" is not a state\. Expected one of: pending, /],
  [['jobs', 'list', '--limit', '0'], /expected a whole number from 1 to 1000/],
  [['jobs', 'list', '--limit', '1001'], /expected a whole number from 1 to 1000/],
  [['jobs', 'list', '--offset', '-1'], /expected a whole number of at least 0/],
  [['jobs', 'list', '--since', 'yesterday'], /expected an age such as 30s, 10m, 2h, 1d or a time such as/],
  [['jobs', 'get'], /missing required argument 'id'/],
  [['jobs', 'trace'], /missing required argument 'id'/],
  [['jobs', 'history', 'a', '--limit', '0'], /expected a whole number of at least 1/],
  [['jobs', 'history', 'a', '--after', 'x'], /expected a whole number of at least 0/],
  [['jobs', 'get', 'a', 'b'], /too many arguments/],
  [['jobs', 'retry'], /give the ids of jobs, a filter such as --service, or --all for every failed job/],
  [['jobs', 'replay', 'a', '--service', 'x'], /either ids or a filter, not both/],
  [['jobs', 'cancel', '--state', 'dead'], /--state: cancel accepts pending, active, retry, not dead/],
  [['jobs', 'dismiss', '--all', '--limit', '0'], /expected a whole number of at least 1/],
  [['jobs', 'key', 'a', 'b'], /missing required argument 'key'/],
  [['jobs', 'watch', 'a.b'], /expected letters, digits/],
  [['jobs', 'watch', '--service', 'workers'], /reserved/],
  [['jobs', 'provision', '--replicas', '9'], /expected a whole number from 1 to 5/],
])('%j ends with 2 and a hint', async ([args, message]) => {
  const { code, printed, remarked } = await run(args);
  expect(remarked).toMatch(message);
  expect([code, printed]).toEqual([2, '']);
});

it('a failure that the caller did not cause shows its trace id', () => {
  const shown = (code: FaultCode) => {
    const terminal = recordedTerminal();
    report(new Fault(code, 'refused', { traceId: 'a'.repeat(32) }), terminal, false);
    return terminal.remarked.join('\n');
  };
  expect(shown('unexpected')).toBe(`trellis: refused\n  trace ${'a'.repeat(32)}`);
  expect(shown('unavailable')).toContain('trace');
  expect(shown('not-found')).toBe('trellis: refused');
});

const commands = [
  'list',
  'dlq',
  'get',
  'history',
  'trace',
  'logs',
  'cancel',
  'retry',
  'replay',
  'dismiss',
  'services',
  'workers',
  'key',
  'health',
  'watch',
  'provision',
];
it.for([[], ['jobs'], ...commands.map((name) => ['jobs', name])])('%j has help with examples', async (args) => {
  const { code, printed } = await run([...args, '--help']);
  expect(code).toBe(0);
  expect(printed).toMatch(/Examples:\n {2}\$ trellis jobs/);
});
