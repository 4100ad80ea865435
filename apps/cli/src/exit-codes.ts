// The exit codes. Those of refused requests are in FAULTS of @trellis/contracts.
import { FAULTS, type HealthReply } from '@trellis/contracts';

export const EXIT = {
  ok: 0,
  unexpected: FAULTS.unexpected.exitCode,
  /** Invalid arguments, and requests that the gateway rejects as invalid. */
  usage: FAULTS['invalid-request'].exitCode,
  unavailable: FAULTS.unavailable.exitCode,
  topology: 6,
  degraded: 7,
  unhealthy: 8,
  /** The action failed for some of several jobs. */
  someFailed: 9,
  /** The user did not confirm. */
  declined: 10,
} as const;

export const HEALTH_EXIT: Record<HealthReply['status'], number> = {
  healthy: EXIT.ok,
  degraded: EXIT.degraded,
  unhealthy: EXIT.unhealthy,
};

export const EXIT_CODES_HELP = `
Exit codes:
  0 done · 1 unexpected error · 2 wrong arguments · 3 no such job · 4 the job's state does not accept it
  5 no answer from the system · 6 existing streams differ · 7 degraded · 8 unhealthy
  9 the action failed for some of several jobs · 10 not confirmed: nothing was done`;
