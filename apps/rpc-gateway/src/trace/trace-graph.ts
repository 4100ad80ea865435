// The spans of a trace as a tree: each has one parent, one has none, and there is no circle.
// Pure. Where spans come from and where lost ones belong is build-trace.ts.
import type { TraceNode } from '@trellis/contracts';

/** A node that has no place yet. */
export interface DraftNode {
  traceId: string;
  spanId: string;
  name: string;
  kind: TraceNode['kind'];
  service: string;
  /** Milliseconds since 1970, with fractions. */
  startMs: number;
  durationMs: number;
  status: TraceNode['status'];
  statusMessage?: string;
  attributes: Record<string, string>;
  jobId?: string;
  missing?: boolean;
  running?: boolean;
  /** As the span itself names it; may be one that never arrived. */
  namedParent: string | undefined;
}

export class TraceGraph {
  readonly nodes = new Map<string, DraftNode>();
  readonly #parents = new Map<string, string>();

  add(node: DraftNode): void {
    this.nodes.set(node.spanId, node);
  }

  parentOf(spanId: string): string | undefined {
    return this.#parents.get(spanId);
  }

  /** Hangs a node below another; false, and nothing changed, when that is not there or hangs below it itself. */
  hang(spanId: string, below: string | undefined): boolean {
    if (below === undefined || !this.nodes.has(below)) return false;
    for (let at: string | undefined = below; at !== undefined; at = this.#parents.get(at)) {
      if (at === spanId) return false;
    }
    this.#parents.set(spanId, below);
    return true;
  }

  /** The topmost node above one. */
  topOf(spanId: string): string {
    let top = spanId;
    for (let at: string | undefined = spanId; at !== undefined; at = this.#parents.get(at)) top = at;
    return top;
  }

  /** Nodes that hang below no other. */
  tops(): DraftNode[] {
    return [...this.nodes.values()].filter(({ spanId }) => !this.#parents.has(spanId));
  }

  /** Depth first from `root`, children by start; the first `limit` of them. */
  walk(root: string, limit: number): TraceNode[] {
    const children = Map.groupBy(this.nodes.keys(), (spanId) => this.#parents.get(spanId));
    const walked: TraceNode[] = [];
    const waiting: { spanId: string; depth: number }[] = [{ spanId: root, depth: 0 }];
    for (let next = waiting.pop(); next !== undefined && walked.length < limit; next = waiting.pop()) {
      const node = this.nodes.get(next.spanId);
      if (!node) continue;
      const { depth } = next;
      walked.push(toWire(node, this.#parents.get(node.spanId), depth));
      const below = (children.get(node.spanId) ?? []).sort((a, b) => this.#compare(a, b));
      for (const spanId of below.reverse()) waiting.push({ spanId, depth: depth + 1 });
    }
    return walked;
  }

  #compare(a: string, b: string): number {
    const startOf = (spanId: string) => this.nodes.get(spanId)?.startMs ?? 0;
    return startOf(a) - startOf(b) || (a < b ? -1 : 1);
  }
}

function toWire(node: DraftNode, parentSpanId: string | undefined, depth: number): TraceNode {
  const { startMs, namedParent: _named, ...shown } = node;
  return {
    ...shown,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    depth,
    startedAt: new Date(startMs).toISOString(),
  };
}
