import type { KeyStatus } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { showKey } from './key-status.ts';

const NOW = Date.parse('2026-01-31T10:00:00.000Z');
const ago = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString();
const base: KeyStatus = {
  service: 'zendesk-sync',
  type: 'sync-tickets',
  key: 'zendesk:foo:tickets',
  keyHash: 'abc',
  active: [],
  queued: [],
  queuedDepth: 0,
  staleTakeoverCount: 0,
};

it('marks a stale holder, and shows which jobs wait and why', () => {
  const slot = { instanceId: 'w-1', startedAt: ago(90), heartbeatAt: ago(40), heartbeatAgeMs: 40_000 };
  const terminal = recordedTerminal();
  showKey(
    {
      ...base,
      active: [
        { ...slot, jobId: 'lost', leaseExpiresAt: ago(5), stale: true },
        { ...slot, jobId: 'well', leaseExpiresAt: ago(-60), stale: false },
      ],
      queued: Array.from({ length: 22 }, (_, i) => ({ jobId: `waits-${i}`, createdAt: ago(3) })),
      queuedDepth: 22,
      latestPolicyReason: 'queue-depth',
    },
    terminal,
    NOW,
  );
  const shown = terminal.printed.join('\n');
  expect(shown).toMatch(/^zendesk:foo:tickets {2}zendesk-sync \/ sync-tickets$/m);
  expect(shown).toMatch(/^latest reason +queue-depth$/m);
  expect(shown).toMatch(/^lost +w-1 +1m ago +40s ago +stale: the lease ran out 5s ago$/m);
  expect(shown).toMatch(/^well +w-1 +1m ago +40s ago +in 1m$/m);
  expect(shown).toMatch(/^waits-0 +3s ago$/m);
  expect(shown).toMatch(/and 2 more$/);
});

it('shows no tables for an idle key', () => {
  const terminal = recordedTerminal();
  showKey(base, terminal, NOW);
  expect(terminal.printed.join('\n')).toMatch(/holders +0\nqueued +0\nstale takeovers +0\nhash +abc$/);
});
