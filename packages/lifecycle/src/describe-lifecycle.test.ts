import { expect, it } from 'vitest';
import { lifecyclePage } from './describe-lifecycle.ts';

it('the documented lifecycle is the one of the table', async () => {
  await expect(lifecyclePage()).toMatchFileSnapshot('../../../docs/lifecycle.md');
});
