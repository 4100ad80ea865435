// Runs one file of the bench in a separate process, so that the measured code does not share its event loop.
// The file calls `answerTask` with a function that performs the task.
import { fork } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RunningTask<Result> extends AsyncDisposable {
  readonly pid: number;
  readonly result: Result;
}

/** As in `npm start`: with a compile cache a process never loads the compiler, which takes 20 MB. */
export const COMPILE_CACHE = join(tmpdir(), 'trellis-bench-compile-cache');

/** Starts `file` with `task` and waits for its answer. The process runs until it is disposed. */
export async function startTask<Result>(
  file: string,
  task: unknown,
  timeoutMs = 300_000,
): Promise<RunningTask<Result>> {
  const child = fork(file, [], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: COMPILE_CACHE },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const ended = new Promise<void>((gone) => child.once('exit', () => gone()));
  const timer = setTimeout(() => reject(new Error(`${file} did not answer within ${timeoutMs / 1_000} s`)), timeoutMs);
  child.on('message', (answer: { result: Result } | { error: string }) => {
    if ('error' in answer) reject(new Error(answer.error));
    else resolve(answer.result);
  });
  child.on('error', reject);
  child.on('exit', (code, signal) => reject(new Error(`${file} ended with ${signal ?? code} before it answered`)));
  const end = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  child.send({ task });
  try {
    return { pid: child.pid ?? 0, result: await promise, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `file` with `task` to its end. @throws Error if it fails or takes longer than `timeoutMs` */
export async function runTask<Result>(file: string, task: unknown, timeoutMs?: number): Promise<Result> {
  await using running = await startTask<Result>(file, task, timeoutMs);
  return running.result;
}

/** Performs the task of this process and sends the answer. The process ends when the bench does. */
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
