// Jobs.ListDLQ: Jobs.List of the dead jobs, under the name that older callers use (docs/protocol.md#rpcs).

import type { Method } from '../rpc/method.ts';
import { invalid, readObject } from '../rpc/read-request.ts';
import { listJobs } from './list-jobs.ts';

export const listDlq: Method = {
  name: 'Jobs.ListDLQ',
  async handle(data, call, ports) {
    const { state = ['dead'], ...request } = readObject(data);
    if (JSON.stringify(state) !== '["dead"]')
      throw invalid([{ field: 'state', message: 'expected ["dead"] or nothing' }]);
    return listJobs.handle(Buffer.from(JSON.stringify({ ...request, state })), call, ports);
  },
};
