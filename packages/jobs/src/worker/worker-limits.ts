// The worker's fixed limits.

/** How long handlers may take to end after the shutdown signal, in milliseconds. */
export const SETTLE_MS = 2_000;
/** How long their outcomes may then take to be stored, in milliseconds. */
export const HALT_MS = 5_000;
/** Maximum consecutive jobs of one key while others wait. */
export const MAX_CHAIN = 3;
/** A delivery that cannot start here within this time is given back: other instances may be idle. Milliseconds. */
export const MAX_BACKLOG_WAIT_MS = 1_000;
/** The same for a delivery that waits for its key; not longer than it would be parked. Milliseconds. */
export const MAX_KEY_WAIT_MS = 2_000;
/** Deliveries that may wait for keys without taking the room of deliveries that could start. */
export const KEY_BACKLOG = 500;
/** Attempts whose handler has ended and whose outcome is not stored yet; at this number nothing new starts. */
export const MAX_FINISHING = 1_000;
