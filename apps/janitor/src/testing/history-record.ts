// For tests: the record of a history pipeline that is at a given position.
import { encodePipelineRecord, NOTHING_WRITTEN, type PipelineRecord } from '@trellis/contracts';

export const historyRecord = (at: Pick<PipelineRecord, 'position' | 'streamCreated'>): string =>
  encodePipelineRecord({
    owner: 'test',
    epoch: 1,
    leaseUntil: new Date(0).toISOString(),
    generation: 1,
    written: NOTHING_WRITTEN,
    intent: null,
    ...at,
  });
