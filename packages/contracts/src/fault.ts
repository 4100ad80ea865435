// Every way in which a request can be refused or fail: wire type, status code, CLI exit code.
import { z } from 'zod';

export const FAULT_TYPES = ['ValidationError', 'NotFoundError', 'UnexpectedError'] as const;

/** Body of an error reply; the reply also carries the headers `status: error` and `Nats-Service-Error(-Code)`. */
export const FaultBody = z.looseObject({
  id: z.string(),
  type: z.enum(FAULT_TYPES),
  message: z.string(),
  context: z.record(z.string(), z.unknown()).optional(),
  traceId: z.string().optional(),
  resource: z.string().optional(),
  jobId: z.string().optional(),
});
export type FaultBody = z.infer<typeof FaultBody>;

/** Code → what callers, operators and the log see. `retry`: whether the same call may succeed later. */
export const FAULTS = {
  'invalid-request': { type: 'ValidationError', status: 400, retry: false, exitCode: 2, logLevel: 'debug' },
  'state-conflict': { type: 'ValidationError', status: 409, retry: false, exitCode: 4, logLevel: 'info' },
  'not-found': { type: 'NotFoundError', status: 404, retry: false, exitCode: 3, logLevel: 'debug' },
  unavailable: { type: 'UnexpectedError', status: 503, retry: true, exitCode: 5, logLevel: 'warn' },
  unexpected: { type: 'UnexpectedError', status: 500, retry: true, exitCode: 1, logLevel: 'error' },
} as const satisfies Record<
  string,
  { type: (typeof FAULT_TYPES)[number]; status: number; retry: boolean; exitCode: number; logLevel: string }
>;
export type FaultCode = keyof typeof FAULTS;

/** A refusal that travels: thrown by a method, sent by the gateway, thrown again by the client. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  /** `traceId`: of the call that failed, where its caller knows it. */
  readonly details: { resource?: string; jobId?: string; context?: Record<string, unknown>; traceId?: string };

  constructor(code: FaultCode, message: string, details: Fault['details'] = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  get type(): (typeof FAULT_TYPES)[number] {
    return FAULTS[this.code].type;
  }

  get status(): number {
    return FAULTS[this.code].status;
  }
}

/** The code that belongs to a status header of a reply; `unexpected` for one that is not ours. */
export function faultCodeOfStatus(status: number): FaultCode {
  const found = (Object.keys(FAULTS) as FaultCode[]).find((code) => FAULTS[code].status === status);
  return found ?? 'unexpected';
}
