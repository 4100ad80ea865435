export { deadlineOfRerun, isOverdue } from './deadline.ts';
export {
  type Admitted,
  admit,
  dropQueued,
  PHANTOM_AFTER_MS,
  phantomSuspects,
  type RejectReason,
} from './keys/admit.ts';
export {
  leaveKey,
  liveSlot,
  putBack,
  release,
  renew,
  type SlotAnswer,
  type Taker,
  takeHead,
  takeOver,
  takeSlot,
} from './keys/key-lease.ts';
export {
  type Changed,
  expiredSlots,
  isPrunable,
  type KeyIdentity,
  type KeyLimits,
  newKeyRecord,
} from './keys/key-record.ts';
export { toKeyStatus } from './keys/key-status.ts';
export { type FoldedJob, fold, type IgnoredBecause, reduce } from './reduce.ts';
export { DEFAULT_BACKOFF_MS, retryDelayMs } from './retry-delay.ts';
export { ENDED_STATES, ENDING_EVENTS, isEnded, statesAccepting, TRANSITIONS } from './transitions.ts';
export { countTries, type Tries } from './tries.ts';
export { toWireJob } from './wire-job.ts';
