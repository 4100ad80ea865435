// Every metric of every process, as data: instruments.ts makes the instruments from it, docs/telemetry.md is written from
// it, and tests compare it with what is scraped, with the dashboards and with the alerts. No label holds an id or a key.
import type { CatalogueEntry } from './metrics/entry.ts';
import { AGGREGATOR_METRICS } from './metrics/heartbeat-aggregator.ts';
import { JANITOR_METRICS } from './metrics/janitor.ts';
import { PROJECTOR_METRICS } from './metrics/projector.ts';
import { GATEWAY_METRICS } from './metrics/rpc-gateway.ts';
import { SDK_METRICS } from './metrics/sdk.ts';

export type { CatalogueEntry } from './metrics/entry.ts';

export const CATALOGUE = [
  ...PROJECTOR_METRICS,
  ...GATEWAY_METRICS,
  ...JANITOR_METRICS,
  ...AGGREGATOR_METRICS,
  ...SDK_METRICS,
] as const satisfies readonly CatalogueEntry[];

export type InstrumentName = (typeof CATALOGUE)[number]['name'];
type Named<Name extends InstrumentName> = Extract<(typeof CATALOGUE)[number], { name: Name }>;
export type NameOfKind<Kind extends CatalogueEntry['kind']> = Extract<
  (typeof CATALOGUE)[number],
  { kind: Kind }
>['name'];
/** The labels of an instrument; each is needed. */
export type LabelsOf<Name extends InstrumentName> = { readonly [Label in keyof Named<Name>['labels']]: string };

const SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/**
 * What an instrument is called in Prometheus, scraped here or through a collector: with its unit, and `_total` for what only
 * ever grows.
 */
export function prometheusName({ name, unit, monotonic }: { name: string; unit: string; monotonic: boolean }): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]+/g, '_');
  const suffix = SUFFIX[unit] ?? '';
  const measured = plain.endsWith(suffix) ? plain : plain + suffix;
  return monotonic && !measured.endsWith('_total') ? `${measured}_total` : measured;
}
