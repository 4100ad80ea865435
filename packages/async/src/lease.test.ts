import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { renewLease, waitForLease } from './lease.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('waiting for a lease', () => {
  it('tries again after each poll interval until the lease is free', async () => {
    const answers = [undefined, undefined, 'lease'];
    const standby: number[] = [];
    const waiting = waitForLease({
      tryAcquire: async () => answers.shift(),
      pollMs: () => 100,
      signal: new AbortController().signal,
      standby: (tries) => void standby.push(tries),
    });
    await vi.advanceTimersByTimeAsync(100);
    expect(standby).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await waiting).toBe('lease');
  });

  it('ends without a lease when the signal aborts', async () => {
    const stop = new AbortController();
    const waiting = waitForLease({ tryAcquire: async () => undefined, pollMs: () => 100, signal: stop.signal });
    stop.abort();
    expect(await waiting).toBeUndefined();
  });
});

describe('renewing a lease', () => {
  function renewing(answers: (boolean | Error)[], giveUpAfterMs?: number) {
    const stop = new AbortController();
    const seen: string[] = [];
    const done = renewLease({
      leaseMs: 300,
      renew: async () => {
        seen.push('renew');
        const answer = answers.shift() ?? true;
        if (answer instanceof Error) throw answer;
        return answer;
      },
      signal: stop.signal,
      lost: () => void seen.push('lost'),
      failed: () => void seen.push('failed'),
      ...(giveUpAfterMs === undefined ? {} : { giveUpAfterMs }),
    });
    return { seen, stop, done };
  }

  it('renews every third of the duration until it is stopped', async () => {
    const { seen, stop, done } = renewing([]);
    await vi.advanceTimersByTimeAsync(250);
    expect(seen).toEqual(['renew', 'renew']);
    stop.abort();
    await done;
  });

  it('reports once that another owner has the lease, and stops', async () => {
    const { seen, done } = renewing([true, false]);
    await vi.advanceTimersByTimeAsync(1_000);
    await done;
    expect(seen).toEqual(['renew', 'renew', 'lost']);
  });

  it('goes on after errors', async () => {
    const { seen, stop } = renewing([new Error('store away'), new Error('store away')]);
    await vi.advanceTimersByTimeAsync(300);
    expect(seen).toEqual(['renew', 'failed', 'renew', 'failed', 'renew']);
    stop.abort();
  });

  it('counts as lost after errors for the given time', async () => {
    const { seen, done } = renewing([true, ...Array(5).fill(new Error('store away'))], 300);
    await vi.advanceTimersByTimeAsync(1_000);
    await done;
    expect(seen).toEqual(['renew', 'renew', 'failed', 'renew', 'failed', 'renew', 'failed', 'lost']);
  });
});
