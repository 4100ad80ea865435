// What callers of the admin RPCs import.
export { type ClientOptions, createClient, type JobsClient, type JobsRpc } from './client.ts';
export type { CallOptions } from './rpc-call.ts';
