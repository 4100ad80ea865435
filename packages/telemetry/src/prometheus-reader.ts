// Metrics in Prometheus' text format, on demand and without a server of its own. Metrics carry their unit in their names, as a
// collector would name them, so that dashboards fit both ways.
import type { ServerResponse } from 'node:http';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import {
  AggregationTemporality,
  DataPointType,
  InstrumentType,
  type MetricData,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { prometheusName } from '@trellis/instrumentation';

/** A gauge that nobody observes any more has no value; a cumulative one would show its last forever. */
export const temporality = (type: InstrumentType): AggregationTemporality =>
  type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;

const COLLECT_MS = 4_000;

export class PrometheusReader extends MetricReader {
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, false, true);

  constructor() {
    super({ aggregationTemporalitySelector: temporality });
  }

  /** What cannot be read in time is left out. */
  async answer(response: ServerResponse): Promise<void> {
    const { resourceMetrics } = await this.collect({ timeoutMillis: COLLECT_MS });
    const text = this.#serializer.serialize(named(resourceMetrics));
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(`${text.trimEnd()}\n`);
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const named = (all: ResourceMetrics): ResourceMetrics => ({
  ...all,
  scopeMetrics: all.scopeMetrics.map((scope) => ({ ...scope, metrics: scope.metrics.map(renamed) })),
});

function renamed(metric: MetricData): MetricData {
  const { name, unit } = metric.descriptor;
  const monotonic = metric.dataPointType === DataPointType.SUM && metric.isMonotonic;
  // The unit is in the name; its own line is not part of this format.
  const descriptor = { ...metric.descriptor, name: prometheusName({ name, unit, monotonic }), unit: '' };
  return { ...metric, descriptor };
}
