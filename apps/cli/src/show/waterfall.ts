// The trace of a job as lines: the tree of its spans with service, start, duration and a bar, and the log lines below their
// span.
import { ATTR, type TraceLog, type TraceNode, type TraceReply } from '@trellis/contracts';
import { plain, type Style, shorten, type Terminal } from '../terminal/terminal.ts';
import { span as lengthOf, timeOfDay } from './times.ts';

export interface WaterfallOptions {
  /** Whether to show log lines. */
  logs: boolean;
}

const NO_TERMINAL_COLUMNS = 140;
const NARROWEST_BAR = 12;
const LONGEST_LABEL_SHARE = 0.5;
const GAP = '  ';

const LEVEL_STYLE: Record<string, Style> = { warn: 'yellow', error: 'red', fatal: 'red' };

interface Line {
  /** Lines of the tree before the label. */
  guides: string;
  /** Lines of the tree before the node's log lines. */
  inner: string;
  node: TraceNode;
  label: string;
}

export function showWaterfall(reply: TraceReply, terminal: Terminal, options: WaterfallOptions): void {
  const { print, style } = terminal;
  const width = terminal.columns ?? NO_TERMINAL_COLUMNS;
  const lines = treeLines(reply.nodes);
  const cells = lines.map((line) => cellsOf(line, reply.nodes[0]));
  const labelWidth = Math.min(
    Math.max(...lines.map(({ guides, label }) => guides.length + label.length)),
    Math.floor(width * LONGEST_LABEL_SHARE),
  );
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const taken = labelWidth + widths.reduce((sum, column) => sum + GAP.length + column, 0) + GAP.length;
  const bar = width - taken < NARROWEST_BAR ? () => '' : bars(reply.nodes, width - taken);
  const logs = Map.groupBy(options.logs ? reply.logs : [], ({ spanId }) => spanId);
  for (const [at, line] of lines.entries()) {
    const { guides, inner, node, label } = line;
    const [service = '', offset = '', length = ''] = cells[at] ?? [];
    const name = shorten(label, labelWidth - guides.length).padEnd(labelWidth - guides.length);
    const row = [
      style('dim', guides) + style(nodeStyle(node), name),
      style('dim', service.padEnd(widths[0] ?? 0)),
      offset.padStart(widths[1] ?? 0),
      length.padStart(widths[2] ?? 0),
      style(nodeStyle(node), bar(node)),
    ];
    print(row.join(GAP).trimEnd());
    const room = width - inner.length;
    if (node.statusMessage) print(style('dim', inner) + style('red', shorten(plain(node.statusMessage), room)));
    for (const log of logs.get(node.spanId) ?? []) print(style('dim', inner) + logLine(log, terminal, room));
  }
  print('');
  print(style('dim', summary(reply)));
  if (reply.links?.trace !== undefined) print(`${style('dim', 'trace')}  ${reply.links.trace}`);
}

/** Remarks on what the reply leaves out. */
export function remarksOnTrace(reply: TraceReply): string[] {
  const remarks: string[] = [];
  if (reply.eventsOnly) remarks.push('spans and logs cannot be read now: the trace shows only the events of the job');
  if (reply.truncated) remarks.push('the trace is too long for one reply: its end is left out');
  return remarks;
}

/** `12:00:00.123 warn  message` */
export function logLine(
  { timestamp, level, message }: TraceLog,
  { style }: Pick<Terminal, 'style'>,
  room: number,
): string {
  const head = `${timeOfDay(timestamp)} ${plain(level).padEnd(5)} `;
  const text = shorten(plain(message), Math.max(room - head.length, 10));
  return style('dim', head) + style(LEVEL_STYLE[level] ?? 'reset', text);
}

/** The nodes, which are in depth-first order, with the lines of their tree. */
function treeLines(nodes: readonly TraceNode[]): Line[] {
  return nodes.map((node, at) => {
    const label = labelOf(node);
    const rails = Array.from({ length: node.depth }, (_, depth) => hasNextSibling(nodes, at, depth + 1));
    const above = rails.slice(0, -1).map((on) => (on ? '│  ' : '   '));
    const own = node.depth === 0 ? '' : rails.at(-1) ? '├─ ' : '└─ ';
    const below = (nodes[at + 1]?.depth ?? 0) > node.depth ? '│ ' : '  ';
    const inner = [...rails.map((on) => (on ? '│  ' : '   ')), below].join('');
    return { guides: above.join('') + own, inner, node, label };
  });
}

/** Whether another node at `depth` follows below the same parent. */
function hasNextSibling(nodes: readonly TraceNode[], at: number, depth: number): boolean {
  for (let next = at + 1; next < nodes.length; next++) {
    const found = nodes[next]?.depth ?? 0;
    if (found < depth) return false;
    if (found === depth) return true;
  }
  return false;
}

/** `process charge-payment #2`: the queue by its type alone, attempts by their number. */
function labelOf({ name, attributes, status, missing, running }: TraceNode): string {
  const type = attributes[ATTR.jobType];
  const queue = `trellis.work.${attributes[ATTR.jobService]}.${type}`;
  const short = type === undefined ? name : name.replace(queue, type);
  const attempt = attributes[ATTR.jobAttempt];
  const numbered = attempt === undefined ? short : `${short} #${attempt}`;
  const marks = [status === 'error' ? '✗' : '', missing ? '(span lost)' : '', running ? '(running)' : ''];
  return [plain(numbered), ...marks.filter((mark) => mark !== '')].join(' ');
}

function nodeStyle({ status, missing, running }: TraceNode): Style {
  if (status === 'error') return 'red';
  if (missing) return 'yellow';
  return running ? 'blue' : 'reset';
}

function cellsOf({ node }: Line, root: TraceNode | undefined): string[] {
  const offset = Date.parse(node.startedAt) - Date.parse(root?.startedAt ?? node.startedAt);
  const length = node.running || (node.missing && node.durationMs === 0) ? '' : lengthOf(node.durationMs);
  return [plain(node.service), `${offset < 0 ? '-' : '+'}${lengthOf(Math.abs(offset))}`, length];
}

/** Returns a function that draws a node's time as a bar. `columns` characters span the first start to the last end. */
function bars(nodes: readonly TraceNode[], columns: number): (node: TraceNode) => string {
  const starts = nodes.map(({ startedAt }) => Date.parse(startedAt));
  const ends = nodes.map(({ startedAt, durationMs }) => Date.parse(startedAt) + durationMs);
  const from = Math.min(...starts);
  const whole = Math.max(...ends) - from;
  const columnOf = (ms: number) => (whole === 0 ? 0 : Math.floor(((ms - from) / whole) * columns));
  return ({ startedAt, durationMs, missing }) => {
    const start = Date.parse(startedAt);
    const begin = Math.min(columnOf(start), columns - 1);
    const end = Math.max(columnOf(start + durationMs), begin + 1);
    const filled = durationMs * columns < whole ? '▏' : (missing ? '░' : '█').repeat(end - begin);
    return ' '.repeat(begin) + filled;
  };
}

function summary({ nodes, logs, traceIds }: TraceReply): string {
  const counted = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;
  const lost = nodes.filter(({ missing }) => missing).length;
  const parts = [
    counted(nodes.length, 'span') + (lost === 0 ? '' : ` (${lost} lost)`),
    counted(logs.length, 'log line'),
    counted(traceIds.length, 'trace'),
  ];
  return `${parts.join(' · ')}: ${traceIds.join(', ')}`;
}
