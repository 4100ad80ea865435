// Shortens a trace to fit into one message: first the least important fields, then log lines, then nodes.
// Pure.
import type { TraceReply } from '@trellis/contracts';
import { jsonBytes } from '../rpc/fit-reply.ts';

/** Attributes that stay: what a job's picture is read by. */
const KEPT = /^(trellis\.|service\.instance\.id$|error\.type$|messaging\.operation\.name$)/;

export function fitTrace(reply: TraceReply, maxBytes: number): TraceReply {
  let fitted: TraceReply = { ...reply, nodes: reply.nodes.map(withKeptAttributes), truncated: true };
  while (jsonBytes(fitted) > maxBytes && fitted.logs.length > 0) {
    fitted = { ...fitted, logs: fitted.logs.slice(0, Math.floor(fitted.logs.length / 2)) };
  }
  // Every node comes after its parent: the first ones are a tree as well.
  while (jsonBytes(fitted) > maxBytes && fitted.nodes.length > 1) {
    fitted = { ...fitted, nodes: fitted.nodes.slice(0, Math.ceil(fitted.nodes.length / 2)) };
  }
  return fitted;
}

const withKeptAttributes = (node: TraceReply['nodes'][number]): TraceReply['nodes'][number] => ({
  ...node,
  attributes: Object.fromEntries(Object.entries(node.attributes).filter(([key]) => KEPT.test(key))),
});
