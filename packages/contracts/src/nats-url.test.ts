import { expect, it } from 'vitest';
import { readNatsUrl } from './nats-url.ts';

it.for([
  ['nats://a:1', ['nats://a:1'], {}],
  ['a:1, tls://b:2', ['a:1', 'tls://b:2'], {}],
  [
    'nats://ann:p%40ss%3Aword@a:1,nats://ann:p%40ss%3Aword@b:2',
    ['nats://a:1', 'nats://b:2'],
    { user: 'ann', pass: 'p@ss:word' },
  ],
  ['nats://secret@a:1', ['nats://a:1'], { token: 'secret' }],
] as const)('%s', ([url, servers, credentials]) => {
  expect(readNatsUrl(url)).toEqual({ servers, credentials });
});
