// The ClickHouse server's process: hands its own arguments to the server inside libchdb and stays in there.
// It cannot hear signals meanwhile; asking it to stop is left to clickhouse-server.ts.
import { DataType, load, open } from 'ffi-rs';

const [library = '', ...args] = process.argv.slice(2);
open({ library: 'chdb', path: library });
const words = ['clickhouse', ...args];
// On the main thread: ClickHouse checks where its stack is.
load({
  library: 'chdb',
  funcName: 'query_stable_v2',
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: [words.length, words],
});
process.exit(0);
