// What the SDK has to complain about goes into the log, at most once a minute: a collector that is away must not fill it.
import { DiagLogLevel, diag } from '@opentelemetry/api';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import type { Logger } from '@trellis/async';

const EVERY_MS = 60_000;

/** Sends complaints of the SDK in this process to `log`. @returns how to complain likewise */
export function reportTroubleSeldom(
  log: Pick<Logger, 'warn'>,
  now: () => number = () => performance.now(),
): (trouble: unknown) => void {
  let next = Number.NEGATIVE_INFINITY;
  let silent = 0;
  const report = (trouble: unknown) => {
    if (now() < next) {
      silent++;
      return;
    }
    const reason = trouble instanceof Error ? trouble.message || trouble.name : String(trouble);
    log.warn({ reason, alsoSince: silent }, 'telemetry is lost');
    next = now() + EVERY_MS;
    silent = 0;
  };
  setGlobalErrorHandler(report);
  const quiet = () => undefined;
  diag.setLogger(
    { error: report, warn: report, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  return report;
}
