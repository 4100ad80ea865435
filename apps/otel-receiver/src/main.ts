// The OTLP receiver: takes spans and logs over HTTP and stores them in ClickHouse.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { runComponent } from '@trellis/runtime';
import { openClickHouse } from '@trellis/store-clickhouse';
import { readConfig } from './config.ts';
import { runWriters } from './run-writers.ts';
import { newCounts, otlpServer } from './serve-otlp.ts';

const config = readConfig();

await runComponent({
  name: 'otel-receiver',
  config,
  async start(scope) {
    const { log, use } = scope;
    const clickhouse = openClickHouse({ url: config.clickhouseUrl, database: config.otelDatabase });
    use('clickhouse', clickhouse, { close: () => clickhouse.close(), ready: () => clickhouse.ping() });
    const received = newCounts();
    const writers = runWriters(scope, { clickhouse, config, received });
    const { otlpMaxRequestBytes: maxRequestBytes, otlpMaxConcurrent: maxConcurrent } = config;
    const server = otlpServer({ ...writers, received, maxRequestBytes, maxConcurrent, log });
    server.listen(config.otlpPort, config.otlpHost);
    await once(server, 'listening');
    use('OTLP server', server, {
      close: async () => {
        server.close();
        server.closeIdleConnections();
        await once(server, 'close');
      },
    });
    log.info({ port: (server.address() as AddressInfo).port }, 'OTLP is served');
  },
});
