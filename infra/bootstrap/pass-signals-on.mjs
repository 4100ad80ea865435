// Passes signals on to a child. A Ctrl-C under npm comes twice within a moment, from the terminal and from npm, which passes it
// on as well; it is one wish all the same. Whoever is in a hurry asks again later than that.

const ONE_WISH_MS = 300;

/** `from`: what the signals come to; `now`: in milliseconds. */
export function passSignalsOn(from, child, now = () => performance.now()) {
  let passedAt = Number.NEGATIVE_INFINITY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    from.on(signal, () => {
      if (now() - passedAt < ONE_WISH_MS) return;
      passedAt = now();
      child.kill(signal);
    });
  }
}
