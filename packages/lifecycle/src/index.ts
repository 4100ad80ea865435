export * from './describe-lifecycle.ts';
export * from './keyed-admission.ts';
export * from './reduce.ts';
export * from './retry-delay.ts';
export * from './transitions.ts';
export * from './wire-job.ts';
