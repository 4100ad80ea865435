// The process of the ClickHouse server: passes its arguments to the server in libchdb, which then blocks this thread.
// It cannot handle signals meanwhile; clickhouse-server.ts stops it with a query.
import { DataType, load, open } from 'ffi-rs';

const [library = '', ...args] = process.argv.slice(2);
open({ library: 'chdb', path: library });
const words = ['clickhouse', ...args];
// It must run on the main thread: ClickHouse checks the address of its stack.
load({
  library: 'chdb',
  funcName: 'query_stable_v2',
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: [words.length, words],
});
process.exit(0);
