// Spans of libraries below the active span: outgoing requests of node:http and fetch, statements of pg. Works whatever was
// imported before: the hooks see a module when it is required again.
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { createNoopMeter, type Span, type TracerProvider } from '@opentelemetry/api';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { ATTR_URL_FULL, ATTR_URL_QUERY } from '@opentelemetry/semantic-conventions';

const require = createRequire(import.meta.url);
/** Main files of packages that are instrumented, whichever copy the program uses. */
const INSTRUMENTED = /[\\/]node_modules[\\/](pg[\\/]lib|pg-pool)[\\/]index\.js$/;

export function instrumentLibraries(tracerProvider: TracerProvider): void {
  registerInstrumentations({
    tracerProvider,
    // The metrics of a process are those of the catalogue.
    meterProvider: { getMeter: createNoopMeter },
    instrumentations: [
      new HttpInstrumentation({
        disableIncomingRequestInstrumentation: true,
        requireParentforOutgoingSpans: true,
        requestHook: withoutQuery,
      }),
      new UndiciInstrumentation({ requireParentforSpans: true, requestHook: withoutQuery }),
      new PgInstrumentation({
        requireParentSpan: true,
        ignoreConnectSpans: true,
        requestHook: (span, { query }) => nameStatement(span, query.text),
      }),
    ],
  });
  const loaded = Object.keys(require.cache).filter((file) => INSTRUMENTED.test(file));
  for (const name of ['node:http', 'node:https', ...loaded]) require(name);
  // `import { request } from 'node:http'` sees the same as `import http from 'node:http'`.
  syncBuiltinESMExports();
}

/** What a URL asks with may be secret, or hold ids. */
function withoutQuery(span: Span): void {
  const { attributes } = span as Span & { attributes?: Record<string, unknown> };
  const url = attributes?.[ATTR_URL_FULL];
  if (typeof url === 'string' && url.includes('?')) span.setAttribute(ATTR_URL_FULL, url.slice(0, url.indexOf('?')));
  if (attributes?.[ATTR_URL_QUERY] !== undefined) span.setAttribute(ATTR_URL_QUERY, '');
}

/** After what the statement does; it may begin with a comment. */
function nameStatement(span: Span, text: string): void {
  const [operation = 'statement'] = /[a-z]+/i.exec(text.replace(/^(\s|--[^\n]*\n|\/\*.*?\*\/)+/s, '')) ?? [];
  span.updateName(`pg.query:${operation.toUpperCase()}`);
}
