import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { locateStack } from './locate-stack.ts';

const home = mkdtempSync(join(tmpdir(), 'trellis-home-'));
const empty = mkdtempSync(join(tmpdir(), 'trellis-home-'));
writeFileSync(
  join(home, 'run.json'),
  JSON.stringify({ pid: 1, nats: 'nats://run:4', natsOptions: { user: 'u' }, components: {} }),
);
afterAll(() => {
  for (const folder of [home, empty]) rmSync(folder, { recursive: true });
});

it('prefers --nats, then NATS_URL, then run.json, then the default', () => {
  const config = { natsUrl: 'nats://env:1', natsOptions: { pass: 'p' }, trellisHome: home };
  expect(locateStack('nats://flag:2', config)).toEqual({
    url: 'nats://flag:2',
    options: { pass: 'p' },
    source: '--nats',
  });
  expect(locateStack(undefined, config)).toMatchObject({ url: 'nats://env:1', source: 'NATS_URL' });
  expect(locateStack(undefined, { trellisHome: home })).toMatchObject({ url: 'nats://run:4', options: { user: 'u' } });
  expect(locateStack(undefined, { trellisHome: empty })).toMatchObject({ url: 'nats://127.0.0.1:4222' });
});

it('ignores a run.json that cannot be read', () => {
  writeFileSync(join(empty, 'run.json'), '{"nats":');
  expect(locateStack(undefined, { trellisHome: empty }).url).toBe('nats://127.0.0.1:4222');
});
