// From a thrown error to the error reply: headers and body (docs/protocol.md#errors). Nothing internal leaves the gateway: no
// SQL, no stack, no address.
import { JetStreamApiError, JetStreamError } from '@nats-io/jetstream';
import {
  ClosedConnectionError,
  ConnectionError,
  DrainingConnectionError,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from '@nats-io/transport-node';
import { Fault, type FaultBody, newId } from '@trellis/contracts';
import { PublishError } from '@trellis/nats';
import { StoreUnavailable } from '@trellis/store-postgres';

export interface FaultReply {
  fault: Fault;
  /** Also in the log. */
  id: string;
  status: number;
  /** One line, for the service-framework header. */
  headline: string;
  body: FaultBody;
}

/** The refusal for `error`, with an id of its own. */
export function faultReply(error: unknown, traceId: string | undefined): FaultReply {
  const id = newId();
  const fault = toFault(error, id);
  const { resource, jobId, context } = fault.details;
  const body: FaultBody = {
    id,
    type: fault.type,
    message: fault.message,
    ...(context === undefined ? {} : { context }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(resource === undefined ? {} : { resource }),
    ...(jobId === undefined ? {} : { jobId }),
  };
  return { fault, id, status: fault.status, headline: oneLine(fault.message), body };
}

function toFault(error: unknown, id: string): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof StoreUnavailable) return new Fault('unavailable', error.message, {}, { cause: error });
  if (error instanceof PublishError && !error.refused) {
    const message =
      'the stream did not confirm the event in time; it may still have been stored, so look at the job first';
    return new Fault('unavailable', message, {}, { cause: error });
  }
  if (isStreamTrouble(error)) return new Fault('unavailable', 'the stream does not answer now', {}, { cause: error });
  return new Fault(
    'unexpected',
    `an internal error happened; the gateway's log has it under ${id}`,
    {},
    { cause: error },
  );
}

const STREAM_TROUBLE = [
  JetStreamApiError,
  JetStreamError,
  RequestError,
  TimeoutError,
  NoRespondersError,
  ConnectionError,
  ClosedConnectionError,
  DrainingConnectionError,
];

const isStreamTrouble = (error: unknown): boolean => STREAM_TROUBLE.some((kind) => error instanceof kind);

/** Header values end at a line break. */
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 500);
