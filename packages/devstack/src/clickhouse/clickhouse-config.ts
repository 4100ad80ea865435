// The configuration files of the local ClickHouse server: limits, log level, users and their grants.
// Starting it is left to clickhouse-server.ts.
import { createHash } from 'node:crypto';
import { totalmem } from 'node:os';

export interface ClickHouseUser {
  name: string;
  password: string;
  /** Default database of the user's queries. */
  database: string;
  /** The user may only read, and may change only settings of the output. */
  readOnly?: boolean;
  /** `GRANT` statements without the `TO …`. Default: everything is allowed. */
  grants?: string[];
}

/** The public views of the history (docs/analytics.md). */
const PUBLIC_VIEWS = ['events', 'runs', 'minutes', 'hours', 'event_minutes', 'quarantine'];

/** Grants of the user `analyst`: `GRANT` statements without the `TO …`. */
export const analystGrants = (database: string): string[] =>
  PUBLIC_VIEWS.map((view) => `GRANT SELECT ON \`${database}\`.${view}`);

/** Settings that clients send by themselves or that format the output. None gives access to more data or resources. */
const CLIENT_SETTINGS = [
  ...['enable_http_compression', 'http_zlib_compression_level', 'log_comment', 'session_timezone'],
  ...['send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'extremes', 'date_time_output_format'],
  ...['output_format_json_quote_64bit_integers', 'output_format_json_quote_denormals', 'max_execution_time'],
  ...['max_result_rows', 'max_result_bytes', 'result_overflow_mode', 'cancel_http_readonly_queries_on_client_close'],
];

const MEMORY_BYTES = Math.min(4_000_000_000, Math.floor(totalmem() / 2));

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/**
 * The server's configuration. It names no system log tables (query_log, metric_log, …), so that the server does not create
 * them: they would cost more than the rest of an idle system.
 */
export function serverConfig(usersFile: string): string {
  return `<clickhouse>
  <users_config>${escapeXml(usersFile)}</users_config>
  <access_control_improvements>
    <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    <select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>
    <settings_constraints_replace_previous>true</settings_constraints_replace_previous>
  </access_control_improvements>
  <max_server_memory_usage>${MEMORY_BYTES}</max_server_memory_usage>
  <mark_cache_size>134217728</mark_cache_size>
  <index_mark_cache_size>33554432</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <mmap_cache_size>100</mmap_cache_size>
  <compiled_expression_cache_size>16777216</compiled_expression_cache_size>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <background_streaming_schedule_pool_size>4</background_streaming_schedule_pool_size>
  <keep_alive_timeout>30</keep_alive_timeout>
</clickhouse>
`;
}

/** The users file: `default` for the server's internal session, then the given users. */
export function usersConfig(users: readonly ClickHouseUser[]): string {
  return `<clickhouse>
  <profiles>
    <default></default>
    <readonly>
      <readonly>1</readonly>
      <constraints>
${CLIENT_SETTINGS.map((name) => `        <${name}><changeable_in_readonly/></${name}>`).join('\n')}
      </constraints>
    </readonly>
  </profiles>
  <quotas><default></default></quotas>
  <users>
    <!-- The server's internal session runs as default and cannot send a password: it may only do what serving needs. -->
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT CREATE DATABASE ON trellis.*</query>
        <query>GRANT TABLE ENGINE ON Atomic</query>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT SELECT ON system.numbers</query>
      </grants>
    </default>
${users.map(userConfig).join('\n')}
  </users>
</clickhouse>
`;
}

function userConfig(user: ClickHouseUser): string {
  const grants = user.grants?.map((grant) => `<query>${escapeXml(grant)}</query>`).join('');
  return `    <${user.name}>
      <password_sha256_hex>${createHash('sha256').update(user.password).digest('hex')}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>${user.readOnly ? 'readonly' : 'default'}</profile>
      <quota>default</quota>
      <default_database>${escapeXml(user.database)}</default_database>
      ${grants ? `<grants>${grants}</grants>` : ''}
    </${user.name}>`;
}
