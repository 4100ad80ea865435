// Every duty of the janitor. A new one is a file here, a line in this list, and its name in duty.ts.
import type { JanitorPorts } from '../ports.ts';
import type { Duty } from './duty.ts';
import { expireDeadlines } from './expire-deadlines.ts';
import { findStrandedWork } from './find-stranded-work.ts';
import { purgeEnded } from './purge-ended.ts';
import { releaseKeyLeases } from './release-key-leases.ts';
import { removeStaleRows } from './remove-stale-rows.ts';
import { repairLostJobs } from './repair-lost-jobs.ts';
import { settleAdvisories } from './settle-advisories.ts';

export const allDuties = (ports: JanitorPorts): Duty[] => [
  expireDeadlines(ports),
  settleAdvisories(ports),
  removeStaleRows(ports),
  purgeEnded(ports),
  findStrandedWork(ports),
  repairLostJobs(ports),
  releaseKeyLeases(ports),
];
