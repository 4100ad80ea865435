export * from './catalogue.ts';
export * from './instruments.ts';
export * from './spans.ts';
export * from './telemetry-settings.ts';
export * from './trace-context.ts';
export * from './traced-connection.ts';
export * from './with-span.ts';
