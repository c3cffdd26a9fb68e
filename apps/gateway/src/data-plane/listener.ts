import { type IncomingMessage, type ServerResponse } from 'node:http';
import { mayUseModel } from '@weir/access';
import { uuidV7, WeirError } from '@weir/kernel';
import { scrubSecrets } from '@weir/platform';
import { toErrorBody, toOpenAiError } from '@weir/wire';
import { hasBodyToCome, isClosing } from './closing-connections';
import { endAfterBody } from './end-after-body';
import { explain } from './explain';
import { answerMeshes, type MeshAddress } from './meshes/answer-meshes';
import { toModelList, toModelObject } from './model-list';
import { authenticate, Relay } from './relay';
import { type Road } from './road';
import { answerVoices } from './voices/answer-voices';
import { BuiltInVoices } from './voices/built-in-voices';
import { type VoicePath } from './voices/match-voice-path';

const MAX_SHOWN_CHARACTERS = 200;

type NodeListener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * What the data plane's server calls for each request, in front of Express: operations go to the
 * relay, health to Nest's controllers, and nothing else exists here. The control plane in particular
 * cannot be reached through this port.
 */
export class DataPlaneListener {
  private readonly relay: Relay;
  private readonly builtInVoices: BuiltInVoices;

  constructor(
    private readonly road: Road,
    private readonly express: NodeListener,
  ) {
    this.builtInVoices = new BuiltInVoices(road);
    this.relay = new Relay(road, this.builtInVoices);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    if (isClosing(request)) return;
    // An error on a torn connection is the caller's leaving; 'close' tells it. A request's own errors
    // are emitted only where somebody listens.
    response.on('error', ignore);
    this.allowOrigin(request, response);
    if (request.method === 'OPTIONS') {
      answerPreflight(request, response);
      return;
    }
    const match = this.road.routes.match(request.url ?? '');
    switch (match.kind) {
      case 'operation':
        if (request.method === 'POST') void this.relay.handle(request, response, match.definition, match.place);
        else refuse(request, response, new WeirError('method_not_allowed'), 'POST');
        return;
      case 'proxy':
        void this.relay.handle(request, response, match.definition, match.place);
        return;
      case 'voices':
        void this.answerVoices(request, response, match.path);
        return;
      case 'meshes':
        void this.answerMeshes(request, response, { kind: 'all', collection: match, isShort: match.isShort });
        return;
      case 'mesh':
        void this.answerMeshes(request, response, { kind: 'one', path: match.path });
        return;
      case 'models':
        if (request.method === 'GET') this.answerModels(request, response, match.model);
        else refuse(request, response, new WeirError('method_not_allowed'), 'GET');
        return;
      case 'explain':
        if (request.method === 'POST') void this.answerExplanation(request, response);
        else refuse(request, response, new WeirError('method_not_allowed'), 'POST');
        return;
      case 'health':
        this.express(request, response);
        return;
      case 'unknown':
        refuse(request, response, new WeirError('not_found', { message: `Unknown request URL: ${request.method} ${toPath(request)}.` }), null);
    }
  }

  /** Resolves when no request is on the road any more, or after `timeoutMs`. */
  whenIdle(timeoutMs: number): Promise<void> {
    return this.relay.whenIdle(timeoutMs);
  }

  /** `GET /v1/models`: what this key may use. It takes nothing from the limits: it costs no upstream anything. */
  private answerModels(request: IncomingMessage, response: ServerResponse, model: string | null): void {
    try {
      const caller = authenticate(this.road, request, this.road.clock.nowMs());
      const isUsable = (name: string): boolean => mayUseModel(caller, name);
      const names = this.road.pool.modelNames();
      if (model === null) {
        send(response, 200, toModelList(names.filter((name) => !name.includes('*') && isUsable(name))));
        return;
      }
      if (this.road.pool.findRoute(model) === null || !isUsable(model)) {
        // Cut before it is scrubbed: looking for secrets in a long text of a caller's takes long.
        throw new WeirError('model_not_found', { message: `The model '${scrubSecrets(model.slice(0, MAX_SHOWN_CHARACTERS))}' does not exist.`, param: 'model' });
      }
      send(response, 200, toModelObject(model));
    } catch (error) {
      this.refuseFor(request, response, error);
    }
  }

  /** Something that nobody foresaw goes to the log, and only there. */
  private refuseFor(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (!(error instanceof WeirError)) this.road.requestLog.unforeseen(error);
    refuse(request, response, error instanceof WeirError ? error : new WeirError('internal_error'), null);
  }

  private async answerExplanation(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      send(response, 200, await explain(this.road, request));
    } catch (error) {
      if (!response.closed) this.refuseFor(request, response, error);
    }
  }

  private async answerVoices(request: IncomingMessage, response: ServerResponse, path: VoicePath): Promise<void> {
    try {
      const caller = authenticate(this.road, request, this.road.clock.nowMs());
      await answerVoices({ ...this.road, listBuiltIn: (asking) => this.builtInVoices.list(asking) }, caller, request, response, path);
    } catch (error) {
      if (!response.closed && !response.headersSent) this.refuseFor(request, response, error);
    }
  }

  private async answerMeshes(request: IncomingMessage, response: ServerResponse, address: MeshAddress): Promise<void> {
    try {
      await answerMeshes(this.road, authenticate(this.road, request, this.road.clock.nowMs()), request, response, address);
    } catch (error) {
      if (!response.closed && !response.headersSent) this.refuseFor(request, response, error);
    }
  }

  /** CORS (https://fetch.spec.whatwg.org/#http-cors-protocol) for the origins that the operator listed, exactly. */
  private allowOrigin(request: IncomingMessage, response: ServerResponse): void {
    const { corsOrigins } = this.road.configuration;
    if (corsOrigins.length === 0) return;
    const { origin } = request.headers;
    if (origin === undefined || !corsOrigins.includes(origin)) return;
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', '*');
    response.setHeader('vary', 'origin');
  }
}

function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  if (response.hasHeader('access-control-allow-origin')) {
    response.setHeader('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE');
    response.setHeader('access-control-allow-headers', request.headers['access-control-request-headers'] ?? 'authorization, content-type');
    response.setHeader('access-control-max-age', '600');
  }
  response.writeHead(204);
  response.end();
}

const ignore = (): void => undefined;

function refuse(request: IncomingMessage, response: ServerResponse, error: WeirError, allow: string | null): void {
  if (allow !== null) response.setHeader('allow', allow);
  if (!error.row.retryHelps) response.setHeader('x-should-retry', 'false');
  const body = toErrorBody(toOpenAiError(error));
  if (!hasBodyToCome(request)) {
    send(response, error.status, body);
    return;
  }
  response.setHeader('connection', 'close');
  writeHead(response, error.status, body);
  response.write(body);
  endAfterBody(request, response);
}

function send(response: ServerResponse, status: number, body: Buffer): void {
  writeHead(response, status, body);
  response.end(body);
}

function writeHead(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, 'x-request-id': uuidV7(Date.now()) });
}

/** The path as far as it may be shown: without the query, which may hold a key, and not too long. */
function toPath(request: IncomingMessage): string {
  return scrubSecrets((request.url ?? '').split('?', 1)[0].slice(0, MAX_SHOWN_CHARACTERS));
}
