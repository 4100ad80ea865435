// Runs each duty when it is due, on one replica at a time, and records what each pass did.
// What a duty does is in duties/, what it decides in plan/plan-job.ts.
import { type Logger, type Loop, loop, renewLease, sleep } from '@trellis/async';
import type { PassClaim, PassLedger, PassReport } from '@trellis/store-postgres';
import type { Duty, PassResult } from './duties/duty.ts';
import { recordPass, showDuty } from './janitor-telemetry.ts';

export interface SweepOptions {
  ledger: PassLedger;
  intervalMs: number;
  signal: AbortSignal;
  log: Logger;
}

/** Longest wait until a replica checks again whether a duty is due, in milliseconds. */
const MAX_LOOK_MS = 1_000;

/** Works a duty until `signal` aborts, in turns with the other replicas. */
export function workDuty(duty: Duty, options: SweepOptions): Loop {
  const { ledger, intervalMs, signal, log } = options;
  showDuty(duty.name);
  return loop(`janitor duty ${duty.name}`, {
    signal,
    log,
    run: async () => {
      const claim = await ledger.claim(duty.name);
      // Until then the duty is not due on any replica.
      const waitMs = claim ? await runPass(duty, claim, options) : Math.min(intervalMs, MAX_LOOK_MS);
      await sleep(waitMs, signal);
    },
  });
}

/** Another replica works the duty now. */
class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** @returns when the duty is due again, in milliseconds from now */
async function runPass(
  duty: Duty,
  claim: PassClaim,
  { ledger, intervalMs, signal, log }: SweepOptions,
): Promise<number> {
  const lost = new AbortController();
  const ended = new AbortController();
  const renewing = renewLease({
    leaseMs: ledger.leaseMs,
    renew: () => ledger.renew(claim),
    signal: ended.signal,
    lost: () => lost.abort(new LeaseLost(`another replica works ${claim.duty} now`)),
    failed: (error) => log.warn({ error, duty: claim.duty }, 'the lease of a pass could not be renewed'),
    giveUpAfterMs: ledger.leaseMs,
  });
  const passLog = log.child({ duty: duty.name });
  const started = performance.now();
  let result: PassResult = { counts: {} };
  let error: unknown;
  try {
    const passSignal = AbortSignal.any([signal, lost.signal]);
    const pass = { state: claim.state, signal: passSignal, log: passLog };
    result = await recordPass(duty.name, () => duty.run(pass));
  } catch (thrown) {
    // An error during a stop is no failure of the pass.
    if (!signal.aborted) error = thrown;
  } finally {
    ended.abort();
    await renewing;
  }
  const report: PassReport = {
    durationMs: performance.now() - started,
    counts: result.counts,
    problems: result.problems ?? [],
    error: error === undefined ? undefined : error instanceof Error ? error.message : String(error),
    state: result.state,
    nextInMs: signal.aborted || (result.more === true && error === undefined) ? 0 : intervalMs,
  };
  logPass(passLog, report, error);
  if (await ledger.finish(claim, report)) return report.nextInMs;
  passLog.warn('lease lost: another replica has started the next pass');
  return MAX_LOOK_MS;
}

function logPass(log: Logger, report: PassReport, error: unknown): void {
  const { counts, problems, durationMs, nextInMs } = report;
  const facts = { counts, durationMs: Math.round(durationMs), nextInMs };
  if (error !== undefined) log.error({ ...facts, error }, 'the pass failed');
  else if (problems.length > 0) log.warn({ ...facts, problems }, 'the pass found problems');
  else if (Object.values(counts).some((count) => count > 0)) log.info(facts, 'the pass is done');
  else log.debug(facts, 'the pass is done, there was nothing to do');
}
