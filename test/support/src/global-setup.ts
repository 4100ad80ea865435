// Vitest runs it once before all test files; the returned function once after them.
import { offerSharedServers } from './shared-servers.ts';

export default async function setup(): Promise<() => Promise<void>> {
  return offerSharedServers();
}
