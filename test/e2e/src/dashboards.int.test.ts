import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createClient } from '@clickhouse/client';
import { CATALOGUE, prometheusName } from '@trellis/instrumentation';
import { migrateClickHouse, openClickHouse } from '@trellis/store-clickhouse';
import { freshClickHouse } from '@trellis/test-support';
import { describe, expect, test } from 'vitest';
import { promtool } from './promtool.ts';

const infra = (path: string): string => fileURLToPath(new URL(`../../../infra/${path}`, import.meta.url));

interface Target {
  expr?: string;
  rawSql?: string;
}
interface Dashboard {
  panels: { title: string; description?: string; gridPos: Record<'x' | 'y' | 'w' | 'h', number>; targets?: Target[] }[];
  templating: { list: { name: string; query: unknown }[] };
}

const dashboard = (name: string): Dashboard => JSON.parse(readFileSync(infra(`grafana/${name}.json`), 'utf8'));
const operators = dashboard('operators');
const analysts = dashboard('analysts');
const alerts = readFileSync(infra('prometheus/alerts.yaml'), 'utf8');

/** Labels by the metric's name in Prometheus, including the series of histograms. */
const known = new Map<string, readonly string[]>();
for (const { name, unit, kind, labels } of CATALOGUE) {
  const inPrometheus = prometheusName({ name, unit, monotonic: kind === 'counter' });
  const names = Object.keys(labels).map((label) => label.replaceAll('.', '_'));
  known.set(inPrometheus, names);
  if (kind === 'histogram') {
    for (const series of ['bucket', 'sum', 'count']) known.set(`${inPrometheus}_${series}`, [...names, 'le']);
  }
}
const METRIC = /\b(?:trellis|messaging)_[a-z_]+\b/g;
const metricsIn = (text: string): string[] => [...new Set(text.match(METRIC))].sort();
const expressions = operators.panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => expr ?? []));

describe('the operators’ dashboard', () => {
  test('uses only metrics and labels that exist', () => {
    const text = [...expressions, JSON.stringify(operators.templating)].join('\n');
    expect(metricsIn(text).filter((name) => !known.has(name))).toEqual([]);
    for (const expr of expressions) {
      for (const [, metric = '', matchers = ''] of expr.matchAll(/\b((?:trellis|messaging)_[a-z_]+)\{([^}]*)\}/g)) {
        const labels = [...matchers.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label = '']) => label);
        expect(known.get(metric), `labels of ${metric}`).toEqual(expect.arrayContaining(labels));
      }
    }
  });

  test('shows every metric', () => {
    const shown = new Set(metricsIn(expressions.join('\n')).map((name) => name.replace(/_(bucket|sum|count)$/, '')));
    const all = CATALOGUE.map(({ name, unit, kind }) => prometheusName({ name, unit, monotonic: kind === 'counter' }));
    expect(all.filter((name) => !shown.has(name))).toEqual([]);
  });

  test('has only queries that Prometheus accepts', async () => {
    const groups = expressions.map((expr, index) => ({
      record: `panel_${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'),
    }));
    const file = JSON.stringify({ groups: [{ name: 'panels', rules: groups }] });
    expect((await promtool(['check', 'rules', '--lint=none'], file)).said).toMatch(/SUCCESS/);
  });
});

describe('the alerts', () => {
  test('are accepted by Prometheus without a warning', async () => {
    const { code, said } = await promtool(['check', 'rules', '--lint-fatal', infra('prometheus/alerts.yaml')]);
    expect(said).toMatch(/SUCCESS: \d+ rules found/);
    expect(code).toBe(0);
  });

  test('fire exactly when they should', async () => {
    const { code, said } = await promtool(['test', 'rules', infra('prometheus/alerts.test.yaml')]);
    expect(code, said).toBe(0);
  });

  test('use only metrics that exist, and each says what is wrong and what to do', () => {
    expect(metricsIn(alerts).filter((name) => !known.has(name))).toEqual([]);
    const count = (pattern: RegExp) => alerts.match(pattern)?.length;
    const all = count(/^ +- alert: \w+$/gm);
    expect(all).toBeGreaterThan(10);
    for (const part of [/^ +summary: /gm, /^ +runbook: /gm, /severity: (warning|critical)/gm])
      expect(count(part)).toBe(all);
  });
});

test('the analysts’ dashboard has only queries that ClickHouse accepts', async () => {
  await using database = await freshClickHouse();
  const store = openClickHouse({ url: database.serverUrl, database: database.database });
  await migrateClickHouse(store);
  await store.close();
  const client = createClient({ url: database.url });
  const queries = analysts.panels.flatMap(({ targets = [] }) => targets.flatMap(({ rawSql }) => rawSql ?? []));
  const variables = analysts.templating.list.flatMap(({ query }) =>
    /^SELECT/.test(String(query)) ? String(query) : [],
  );
  expect(queries.length).toBeGreaterThan(10);
  for (const query of [...queries, ...variables]) {
    await expect(
      client.query({ query: plainSql(query) }).then((answer) => answer.text()),
      query,
    ).resolves.toBeDefined();
  }
  await client.close();
});

test.each([
  ['operators', operators],
  ['analysts', analysts],
])('panels of %s do not lie on one another, and each has a title', (_name, { panels }) => {
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    expect(title).not.toBe('');
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.has(`${x},${y}`), title).toBe(false);
        taken.add(`${x},${y}`);
      }
    }
  }
});

/** The query with Grafana's variables filled in. */
const plainSql = (sql: string): string =>
  sql
    .replaceAll(/\$__timeFilter\((\w+)\)/g, '($1 >= now() - 3600 AND $1 <= now())')
    .replaceAll(/\$__timeInterval\((\w+)\)/g, 'toStartOfInterval(toDateTime($1), INTERVAL 60 second)')
    .replaceAll(/\$\{\w+:singlequote\}/g, "'one','two'");
