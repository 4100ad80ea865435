import { describeConfig } from '@trellis/runtime';
import { expect, it } from 'vitest';
import { OtelReceiverConfig } from './config.ts';

it('the documented configuration is the one of the schema', async () => {
  await expect(describeConfig('otel-receiver', OtelReceiverConfig)).toMatchFileSnapshot(
    '../../../docs/configuration/otel-receiver.md',
  );
});
