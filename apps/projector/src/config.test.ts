import { describeConfig } from '@trellis/runtime';
import { expect, it } from 'vitest';
import { ProjectorConfig } from './config.ts';

it('the documented configuration is the one of the schema', async () => {
  await expect(describeConfig('projector', ProjectorConfig)).toMatchFileSnapshot(
    '../../../docs/configuration/projector.md',
  );
});
