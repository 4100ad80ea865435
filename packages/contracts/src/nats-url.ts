// A NATS URL as server addresses and credentials: the NATS client takes the two separately.

export interface NatsAddress {
  /** Without credentials. */
  servers: string[];
  /** `{user, pass}`, `{token}`, or nothing. */
  credentials: Record<string, string>;
}

/** Reads one URL, or several with commas, such as `nats://user:password@host:4222` or `nats://token@host`. */
export function readNatsUrl(url: string): NatsAddress {
  let credentials: Record<string, string> = {};
  const servers = url.split(',').map((server) => {
    const [, scheme = '', user, host = ''] = /^(\w+:\/\/)?(?:([^@/]*)@)?(.*)$/.exec(server.trim()) ?? [];
    if (user !== undefined) {
      const [name = '', ...rest] = user.split(':').map(decoded);
      credentials = rest.length > 0 ? { user: name, pass: rest.join(':') } : { token: name };
    }
    return `${scheme}${host}`;
  });
  return { servers, credentials };
}

/** A password with a bare `%` is used unchanged. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The text without user and password of any URL in it. */
export const redactUrl = (text: string): string => text.replace(/(\w+:\/\/)[^@/\s]+@/g, '$1[redacted]@');
