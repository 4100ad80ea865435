// What the two example services have in common; what they do is in their own folders.
export { exampleConfig } from './example-config.ts';
export { type ExampleScope, runExample } from './run-example.ts';
