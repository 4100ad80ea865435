// Runs one file of the bench in a process of its own, so that what is measured shares its event loop with nothing else.
// The file calls `answerTask` with what it does for a task.
import { fork } from 'node:child_process';

/** Runs `file` with `task`. @throws Error when it fails or takes longer than `timeoutMs` */
export function runTask<Result>(file: string, task: unknown, timeoutMs = 300_000): Promise<Result> {
  const child = fork(file, [], { env: { PATH: process.env.PATH }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    reject(new Error(`${file} was not done within ${timeoutMs / 1_000} s`));
  }, timeoutMs);
  child.on('message', (answer: { result: Result } | { error: string }) => {
    if ('error' in answer) reject(new Error(answer.error));
    else resolve(answer.result);
    child.disconnect();
  });
  child.on('error', reject);
  child.on('exit', (code, signal) => reject(new Error(`${file} ended with ${signal ?? code} before it answered`)));
  child.send({ task });
  return promise.finally(() => clearTimeout(timer));
}

/** Does the one task that this process was started for, answers and ends; also when the bench is gone. */
export function answerTask<Task, Result>(work: (task: Task) => Promise<Result>): void {
  process.once('disconnect', () => process.exit());
  process.once('message', async ({ task }: { task: Task }) => {
    try {
      const result = await work(task);
      process.send?.({ result });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}
