import { describeConfig, loadConfig } from '@trellis/runtime';
import { describe, expect, it } from 'vitest';
import { JanitorConfig } from './config.ts';

const base = {};
const readConfig = (env: Record<string, string>) => loadConfig(JanitorConfig, env);
const problemsOf = (env: Record<string, string>): string => {
  try {
    readConfig({ ...base, ...env });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('was accepted');
};

describe('the configuration of the janitor', () => {
  it('removes and repairs nothing unless told to', () => {
    expect(readConfig(base)).toMatchObject({
      janitorRetention: {},
      repairStrandedWork: false,
      requeueLostJobs: false,
      janitorIntervalMs: 10_000,
    });
  });

  it('reads a retention per state in days, hours, minutes, seconds or milliseconds', () => {
    const JANITOR_RETENTION = '{"completed": "7d", "failed": "12h", "dead": "90m", "expired": "30s", "skipped": 5}';
    expect(readConfig({ ...base, JANITOR_RETENTION }).janitorRetention).toEqual({
      completed: 604_800_000,
      failed: 43_200_000,
      dead: 5_400_000,
      expired: 30_000,
      skipped: 5,
    });
  });

  it.each([
    ['{"completed": "soon"}', 'completed: expected a duration'],
    ['{"completed": "-1d"}', 'completed: expected a duration'],
    ['{"active": "1d"}', '"active" is not an ended state; expected completed, failed,'],
    ['{"done": "1d"}', '"done" is no state; expected completed, failed,'],
    ['7d', 'JANITOR_RETENTION'],
  ])('refuses the retention %s', (JANITOR_RETENTION, why) => {
    const message = problemsOf({ JANITOR_RETENTION });
    expect(message).toContain('JANITOR_RETENTION: ');
    expect(message).toContain(why);
  });

  it('takes other intervals for single duties, of known names only', () => {
    const JANITOR_DUTY_INTERVALS_MS = '{"retention": 60000}';
    expect(readConfig({ ...base, JANITOR_DUTY_INTERVALS_MS }).janitorDutyIntervalsMs).toEqual({ retention: 60_000 });
    expect(problemsOf({ JANITOR_DUTY_INTERVALS_MS: '{"retentoin": 60000}' })).toContain('JANITOR_DUTY_INTERVALS_MS');
  });

  it('is documented as it is', async () => {
    await expect(describeConfig('janitor', JanitorConfig)).toMatchFileSnapshot(
      '../../../docs/configuration/janitor.md',
    );
  });
});
