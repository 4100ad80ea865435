// Forwards signals to a child. Under npm a Ctrl-C arrives twice within a moment, from the terminal and from npm, but counts once.
// A second Ctrl-C of the user comes later than that.

const SAME_SIGNAL_MS = 300;

/** `from` emits the signals; `now` returns milliseconds. */
export function passSignalsOn(from, child, now = () => performance.now()) {
  let passedAt = Number.NEGATIVE_INFINITY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    from.on(signal, () => {
      if (now() - passedAt < SAME_SIGNAL_MS) return;
      passedAt = now();
      child.kill(signal);
    });
  }
}
