// The tracer of the spans in a job's life and the attributes that all of them have. Which spans there are, and when they begin
// and end, is creation-span.ts and attempt-span.ts.
import { type Attributes, ProxyTracerProvider, type Tracer, trace } from '@opentelemetry/api';
import { ATTR, MESSAGING_SYSTEM, type SpanOperation, workSubject } from '@trellis/contracts';

export const TELEMETRY_SCOPE = '@trellis/jobs';

/** Undefined while no SDK is set up: a no-op tracer would pass its parent's context off as that of a new span. */
export function jobTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider
    ? provider.getDelegateTracer(TELEMETRY_SCOPE)
    : provider.getTracer(TELEMETRY_SCOPE);
}

export interface TracedJob {
  service: string;
  jobType: string;
  jobId: string;
}

export const jobAttributes = ({ service, jobType, jobId }: TracedJob, operation: SpanOperation): Attributes => ({
  [ATTR.jobId]: jobId,
  [ATTR.jobService]: service,
  [ATTR.jobType]: jobType,
  [ATTR.messagingSystem]: MESSAGING_SYSTEM,
  [ATTR.messagingOperationName]: operation,
  [ATTR.messagingDestination]: workSubject(service, jobType),
  [ATTR.messagingMessageId]: jobId,
});
