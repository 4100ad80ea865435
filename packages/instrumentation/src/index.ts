export * from './catalogue.ts';
export * from './describe-telemetry.ts';
export * from './instruments.ts';
export * from './spans.ts';
export * from './telemetry-settings.ts';
export * from './trace-context.ts';
export * from './with-span.ts';
