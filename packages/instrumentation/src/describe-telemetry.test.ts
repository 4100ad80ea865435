import { expect, test } from 'vitest';
import { describeTelemetry } from './describe-telemetry.ts';

test('docs/telemetry.md is what the lists say', async () => {
  await expect(describeTelemetry()).toMatchFileSnapshot('../../../docs/telemetry.md');
});
