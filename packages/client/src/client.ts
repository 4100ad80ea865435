// The typed admin client: one function per RPC over one NATS connection, which it may own.
import { connect, type NatsConnection } from '@nats-io/transport-node';
import {
  Fault,
  type HealthReply,
  type HistoryReply,
  type Job,
  type JobReply,
  type KeyStatus,
  type ListReply,
  type ListServicesReply,
  type RpcMethod,
  type RpcReply,
  type RpcRequest,
  readNatsUrl,
  type TraceReply,
} from '@trellis/contracts';
import { type CallOptions, callRpc } from './rpc-call.ts';

export interface ClientOptions {
  /** A connection to use; it stays open when the client is closed. */
  connection?: NatsConnection;
  /** NATS server(s), comma separated, with or without `user:password@`: the client makes a connection of its own. */
  url?: string;
  /** Further options of `connect()`, such as credentials. */
  options?: Record<string, unknown>;
  /** Wait for a reply, in milliseconds; default 10,000. */
  timeoutMs?: number;
  /** Who asks, on every call: recorded as the actor of what a call changes. */
  actorId?: string;
}

/** Every function throws a `Fault` with the gateway's code, message and details. */
export interface JobsRpc {
  /** A page of jobs, newest first, and how many match. */
  list(request: RpcRequest<'Jobs.List'>, options?: CallOptions): Promise<ListReply>;
  /** One job, whole. @throws {Fault} not-found */
  get(request: RpcRequest<'Jobs.Get'>, options?: CallOptions): Promise<Job>;
  /** What has happened to a job, event by event. @throws {Fault} not-found, unavailable */
  history(request: RpcRequest<'Jobs.History'>, options?: CallOptions): Promise<HistoryReply>;
  /** The spans and logs of everything that a job touched, as one tree. @throws {Fault} not-found, unavailable */
  trace(request: RpcRequest<'Jobs.Trace'>, options?: CallOptions): Promise<TraceReply>;
  /** Who holds a key and who waits for it, as it is now. @throws {Fault} not-found, when the key was never seen */
  getKey(request: RpcRequest<'Jobs.GetKey'>, options?: CallOptions): Promise<KeyStatus>;
  /** Stops a job that has not ended; an active one ends when its handler does. @throws {Fault} state-conflict, not-found */
  cancel(request: RpcRequest<'Jobs.Cancel'>, options?: CallOptions): Promise<JobReply>;
  /** Runs a failed job again. @throws {Fault} state-conflict, not-found */
  retry(request: RpcRequest<'Jobs.Retry'>, options?: CallOptions): Promise<JobReply>;
  /** Runs a dead job again. @throws {Fault} state-conflict, not-found */
  replayDLQ(request: RpcRequest<'Jobs.ReplayDLQ'>, options?: CallOptions): Promise<JobReply>;
  /** Closes a dead job for good. @throws {Fault} state-conflict, not-found */
  dismissDLQ(request: RpcRequest<'Jobs.DismissDLQ'>, options?: CallOptions): Promise<JobReply>;
  /** `list` of the dead jobs. */
  listDLQ(request: Omit<RpcRequest<'Jobs.List'>, 'state'>, options?: CallOptions): Promise<ListReply>;
  /** Services with their workers. */
  listServices(request: RpcRequest<'Jobs.ListServices'>, options?: CallOptions): Promise<ListServicesReply>;
  /** What works, what does not, how far behind the projections are. */
  health(request?: RpcRequest<'Jobs.Health'>, options?: CallOptions): Promise<HealthReply>;
}

export interface JobsClient extends AsyncDisposable {
  readonly rpc: { readonly jobs: JobsRpc };
  readonly connection: NatsConnection;
  /** Closes the connection if the client made it. */
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * A client of the admin RPCs.
 * @throws {Fault} unavailable, when no server answers at `url`
 */
export async function createClient(options: ClientOptions): Promise<JobsClient> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, actorId } = options;
  const connection = options.connection ?? (await connectTo(options));
  const call =
    <Method extends RpcMethod>(method: Method) =>
    (request: RpcRequest<Method>, callOptions: CallOptions = {}): Promise<RpcReply<Method>> =>
      callRpc(connection, method, request, {
        timeoutMs,
        ...(actorId === undefined ? {} : { actorId }),
        ...callOptions,
      });
  const list = call('Jobs.List');
  const get = call('Jobs.Get');
  const health = call('Jobs.Health');
  const close = async () => {
    if (options.connection === undefined && !connection.isClosed()) await connection.drain();
  };
  return {
    connection,
    rpc: {
      jobs: {
        list,
        listDLQ: (request, callOptions) => list({ ...request, state: ['dead'] }, callOptions),
        get: async (request, callOptions) => (await get(request, callOptions)).job,
        history: call('Jobs.History'),
        trace: call('Jobs.Trace'),
        getKey: call('Jobs.GetKey'),
        cancel: call('Jobs.Cancel'),
        retry: call('Jobs.Retry'),
        replayDLQ: call('Jobs.ReplayDLQ'),
        dismissDLQ: call('Jobs.DismissDLQ'),
        listServices: call('Jobs.ListServices'),
        health: (request = {}, callOptions) => health(request, callOptions),
      },
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function connectTo({ url, options = {} }: ClientOptions): Promise<NatsConnection> {
  if (url === undefined) throw new Fault('invalid-request', 'createClient: expected `url` or `connection`');
  const { servers, credentials } = readNatsUrl(url);
  try {
    return await connect({ maxReconnectAttempts: -1, name: 'trellis-client', ...credentials, ...options, servers });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Fault('unavailable', `no NATS connection to ${servers.join(', ')}: ${why}`, {}, { cause: error });
  }
}
