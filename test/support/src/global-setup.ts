// Run by vitest once before the test files and once after them.
import { offerSharedServers } from './shared-servers.ts';

export default async function setup(): Promise<() => Promise<void>> {
  return offerSharedServers();
}
