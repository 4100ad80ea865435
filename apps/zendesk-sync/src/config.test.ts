import { describeConfig } from '@trellis/runtime';
import { expect, it } from 'vitest';
import { ZendeskSyncConfig } from './config.ts';

it('the documented configuration is the one of the schema', async () => {
  await expect(describeConfig('zendesk-sync', ZendeskSyncConfig)).toMatchFileSnapshot(
    '../../../docs/configuration/zendesk-sync.md',
  );
});
