export { BatchLoader, type BatchLoaderOptions } from './batch-loader.ts';
export { cached } from './cached.ts';
export { KeyedBatcher } from './keyed-batcher.ts';
export { type Logger, silentLogger } from './logger.ts';
export { type Loop, type LoopOptions, loop } from './loop.ts';
export { Semaphore } from './semaphore.ts';
export { singleFlight } from './single-flight.ts';
export { aborted, backoffMs, sleep } from './sleep.ts';
export { TimeoutQueue } from './timeout-queue.ts';
