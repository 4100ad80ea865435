// The payment provider of the example: healthy, down, slow and flaky in turns, by a fixed timetable, so that whoever
// watches for a minute sees every fate that a job can have.

export type Mood = 'healthy' | 'down' | 'slow' | 'flaky';

/** One round of moods; it begins when the provider is made and repeats. */
const TIMETABLE: { mood: Mood; seconds: number }[] = [
  { mood: 'healthy', seconds: 10 },
  { mood: 'down', seconds: 20 },
  { mood: 'slow', seconds: 12 },
  { mood: 'flaky', seconds: 18 },
];
const ROUND_SECONDS = TIMETABLE.reduce((sum, { seconds }) => sum + seconds, 0);

/** What the provider's mood is so long after it was made. */
export function moodAt(elapsedMs: number): Mood {
  let left = (elapsedMs / 1_000) % ROUND_SECONDS;
  for (const { mood, seconds } of TIMETABLE) {
    if (left < seconds) return mood;
    left -= seconds;
  }
  return 'healthy';
}

/** The provider does not do it now; it may later. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable';
}

export interface PaymentProvider {
  /**
   * Charges an amount and gives the receipt.
   * @throws {ProviderUnavailable} while it is down, and now and then while it is flaky
   */
  charge(orderId: string, cents: number, signal: AbortSignal): Promise<string>;
}

export interface ProviderOptions {
  speed: number;
  /** Milliseconds from any fixed point. */
  now: () => number;
  pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

export function paymentProvider({ speed, now, pause }: ProviderOptions): PaymentProvider {
  const opened = now();
  let calls = 0;
  return {
    async charge(orderId, cents, signal) {
      const mood = moodAt((now() - opened) * speed);
      const call = ++calls;
      await pause(callMs(mood, call) / speed, signal);
      signal.throwIfAborted();
      if (mood === 'down') throw new ProviderUnavailable('the payment provider is down (503)');
      if (mood === 'flaky' && call % 3 === 0) throw new ProviderUnavailable('the payment provider timed out');
      return `receipt-${orderId}-${cents}`;
    },
  };
}

/** How long a call takes. */
const callMs = (mood: Mood, call: number): number => {
  if (mood === 'slow') return 5_000 + (call % 5) * 500;
  return mood === 'down' ? 300 : 200 + (call % 7) * 100;
};
