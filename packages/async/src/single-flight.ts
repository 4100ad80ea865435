/**
 * Single flight: runs `load` once at a time. Callers that come during a run share the next one, which starts after
 * their call, so that no result is older than its request.
 */
export function singleFlight<Value>(load: () => Promise<Value>): () => Promise<Value> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<Value> | undefined;
  const start = () => {
    next = undefined;
    const value = load();
    running = value.catch(() => undefined);
    return value;
  };
  return () => {
    next ??= running.then(start);
    return next;
  };
}
