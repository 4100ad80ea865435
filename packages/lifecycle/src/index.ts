export { deadlineOfRerun, isOverdue } from './deadline.ts';
export {
  type Admitted,
  admit,
  type Changed,
  dropQueued,
  expiredSlots,
  isPrunable,
  type KeyIdentity,
  type KeyLimits,
  leaveKey,
  liveSlot,
  newKeyRecord,
  PHANTOM_AFTER_MS,
  phantomSuspects,
  putBack,
  type RejectReason,
  release,
  renew,
  type SlotAnswer,
  type Taker,
  takeHead,
  takeOver,
  takeSlot,
  toKeyStatus,
} from './keyed-admission.ts';
export { type FoldedJob, fold, type IgnoredBecause, reduce } from './reduce.ts';
export { DEFAULT_BACKOFF_MS, retryDelayMs } from './retry-delay.ts';
export { ENDED_STATES, ENDING_EVENTS, isEnded, statesAccepting, TRANSITIONS } from './transitions.ts';
export { countTries, type Tries } from './tries.ts';
export { toWireJob } from './wire-job.ts';
