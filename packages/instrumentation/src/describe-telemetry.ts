// docs/telemetry.md: the tables of metrics and spans from their lists, and how to set telemetry up.
import { readFileSync } from 'node:fs';
import { CATALOGUE, type CatalogueEntry, prometheusName } from './catalogue.ts';
import { SPANS } from './spans.ts';

/** The whole page. */
export function describeTelemetry(): string {
  const prose = readFileSync(new URL('telemetry-page.md', import.meta.url), 'utf8');
  return prose.replace('<!-- metrics -->', metricsTable()).replace('<!-- spans -->', spansTable());
}

const code = (text: string): string => `\`${text}\``;

function metricsTable(): string {
  const rows = (CATALOGUE as readonly CatalogueEntry[]).map((entry) => {
    const { name, kind, unit, description, labels, emittedBy, whatToDo } = entry;
    const inPrometheus = prometheusName({ name, unit, monotonic: kind === 'counter' });
    const listed = Object.entries(labels).map(([label, what]) => `${code(label)}: ${what}`);
    const cells = [
      `${code(name)}<br>${code(inPrometheus)}`,
      `${kind === 'upDownCounter' ? 'up-down counter' : kind}, ${code(unit)}`,
      listed.join('<br>') || 'none',
      emittedBy,
      `${description}.`,
      whatToDo,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| metric, and its name in Prometheus | kind, unit | labels | emitted by | what it says | what to do about it |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

function spansTable(): string {
  const rows = SPANS.map(({ name, kind, recordedBy, description, parent, attributes, sometimes = [], links = [] }) => {
    const cells = [
      code(name),
      kind.toUpperCase(),
      recordedBy,
      `${description}.`,
      parent,
      links.map(code).join(', ') || 'none',
      attributes.map(code).join(', ') + (sometimes.length > 0 ? `; some: ${sometimes.map(code).join(', ')}` : ''),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| span | kind | recorded by | what it is | hangs below | links | attributes |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
