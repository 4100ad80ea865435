export type { Logger } from './logger.ts';
export { silentLogger } from './logger.ts';
export { type Loop, type LoopOptions, loop } from './loop.ts';
export { abortable, aborted, backoffMs } from './sleep.ts';
