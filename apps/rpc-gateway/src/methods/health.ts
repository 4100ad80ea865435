// Jobs.Health: what works, what does not, how far behind the projections are.
import type { HealthCheck, HealthReply } from '@trellis/contracts';
import { defineMethod } from '../rpc/method.ts';

export const health = defineMethod({
  name: 'Jobs.Health',
  async answer(_request, _call, { health }): Promise<HealthReply> {
    const checks = await health.check();
    return { service: 'trellis-jobs', status: overallStatus(checks), timestamp: new Date().toISOString(), checks };
  },
});

/** The status of the worst part. Only parts that operators cannot do without are ever unhealthy. */
function overallStatus(checks: readonly HealthCheck[]): HealthReply['status'] {
  const worst = (status: HealthCheck['status']) => checks.some((check) => check.status === status);
  if (worst('unhealthy')) return 'unhealthy';
  return worst('degraded') ? 'degraded' : 'healthy';
}
