// For tests: the `created` event that a work message carries.
export const workEvent = {
  jobId: 'j1',
  service: 's',
  jobType: 't',
  eventType: 'created',
  state: 'pending',
  timestamp: '2026-01-31T09:30:00.000Z',
  context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  tries: 0,
  payload: { n: 1 },
};
