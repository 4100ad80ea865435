// The instruments of the catalogue, typed by name and labels. They are made when they are first used, since what is made before
// an SDK is set up does nothing forever; without an SDK a use is a look into a map.
import {
  type Attributes,
  type Counter,
  type Histogram,
  type MeterProvider,
  metrics,
  type Observable,
  type UpDownCounter,
} from '@opentelemetry/api';
import { CATALOGUE, type CatalogueEntry, type InstrumentName, type LabelsOf, type NameOfKind } from './catalogue.ts';

const METER = 'trellis';
const ENTRIES: ReadonlyMap<string, CatalogueEntry> = new Map(CATALOGUE.map((entry) => [entry.name, entry]));

interface Made {
  counter: Counter;
  upDownCounter: UpDownCounter;
  histogram: Histogram;
  observed: Observable;
}

let provider: MeterProvider | undefined;
const made = new Map<string, Made[keyof Made]>();

function instrument<Kind extends keyof Made>(kind: Kind, name: string): Made[Kind] {
  const now = metrics.getMeterProvider();
  if (now !== provider) made.clear();
  provider = now;
  const known = made.get(name);
  if (known) return known as Made[Kind];
  const created = create(kind, name);
  made.set(name, created);
  return created;
}

function create<Kind extends keyof Made>(kind: Kind, name: string): Made[Kind] {
  const entry = ENTRIES.get(name) as CatalogueEntry;
  const { unit, description, buckets } = entry;
  const meter = metrics.getMeter(METER);
  const options = {
    unit,
    description,
    ...(buckets ? { advice: { explicitBucketBoundaries: [...buckets] } } : {}),
  };
  const creators: { [Each in keyof Made]: () => Made[Each] } = {
    counter: () => meter.createCounter(name, options),
    upDownCounter: () => meter.createUpDownCounter(name, options),
    histogram: () => meter.createHistogram(name, options),
    observed: () => {
      if (entry.kind === 'counter') return meter.createObservableCounter(name, options);
      if (entry.kind === 'upDownCounter') return meter.createObservableUpDownCounter(name, options);
      return meter.createObservableGauge(name, options);
    },
  };
  return creators[kind]();
}

/** Counts one up, or by `by`; by 0 it makes the counter show from the start. */
export function countMetric<Name extends NameOfKind<'counter'>>(name: Name, labels: LabelsOf<Name>, by = 1): void {
  instrument('counter', name).add(by, labels as Attributes);
}

/** Moves a number of things that there are now up or down. */
export function moveMetric<Name extends NameOfKind<'upDownCounter'>>(
  name: Name,
  labels: LabelsOf<Name>,
  by: number,
): void {
  instrument('upDownCounter', name).add(by, labels as Attributes);
}

/** Records one value, in the instrument's unit (times: seconds). */
export function recordMetric<Name extends NameOfKind<'histogram'>>(
  name: Name,
  labels: LabelsOf<Name>,
  value: number,
): void {
  instrument('histogram', name).record(value, labels as Attributes);
}

/** Says what a gauge stands at, or how much a counter has counted since the start. */
export type Observe<Name extends InstrumentName> = <One extends Name>(
  name: One,
  labels: LabelsOf<One>,
  value: number,
) => void;

/**
 * Lets `look` say what gauges stand at, and what somebody counts himself who counts too often for an instrument, whenever
 * somebody reads them; what it throws leaves them out of that reading. Needs the SDK to be set up. @returns a function that ends it
 */
export function observeMetrics<Name extends NameOfKind<'gauge' | 'counter' | 'upDownCounter'>>(
  names: readonly Name[],
  look: (observe: Observe<Name>) => Promise<void> | void,
): () => void {
  const observables = new Map<string, Observable>(names.map((name) => [name, instrument('observed', name)]));
  const meter = metrics.getMeter(METER);
  const callback: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) =>
    look((name, labels, value) => {
      const observable = observables.get(name);
      if (observable) result.observe(observable, value, labels as Attributes);
    });
  const observed = [...observables.values()];
  meter.addBatchObservableCallback(callback, observed);
  return () => meter.removeBatchObservableCallback(callback, observed);
}
