export type { Logger } from './logger.ts';
export { silentLogger } from './logger.ts';
export { type Loop, type LoopOptions, loop } from './loop.ts';
export { aborted, backoffMs, sleep } from './sleep.ts';
