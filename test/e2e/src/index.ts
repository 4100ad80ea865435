export * from './component-process.ts';
export * from './fold-stream.ts';
export * from './generate-load.ts';
