/** Loads a value on demand, at most once in `maxAgeMs` milliseconds; callers in between share it. `load` does not reject. */
export function cached<Value>(load: () => Promise<Value>, maxAgeMs: number): () => Promise<Value> {
  let value: Promise<Value> | undefined;
  let loadedAt = 0;
  return () => {
    if (value === undefined || performance.now() - loadedAt >= maxAgeMs) {
      loadedAt = performance.now();
      value = load();
    }
    return value;
  };
}
