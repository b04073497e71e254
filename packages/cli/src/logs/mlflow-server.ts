import { BulwarkError } from '@bulwark/core';

/** An MLflow tracking server, by its REST API (mlflow.org/docs/latest/rest-api.html). */
export interface MlflowServer {
  /** @returns undefined if there is no such thing */
  get(path: string, query: Readonly<Record<string, string>>): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
}

const fail = (what: string, hint: string, cause?: unknown): never => {
  throw new BulwarkError('CALLBACK_FAILED', `mlflow: ${what}`, { hint, cause });
};

const isHere = ({ hostname }: URL) => ['localhost', '127.0.0.1', '[::1]'].includes(hostname);

/** The user's own server, by MLflow's environment variable. */
function ofEnvironment(): URL | undefined {
  const text = process.env['MLFLOW_TRACKING_URI'];
  return text && /^https?:\/\//.test(text) ? new URL(text) : undefined;
}

/** The user's credentials, for the user's own server only: a config may come from anyone. */
function credentials(address: URL): Record<string, string> {
  const {
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_USERNAME: name,
    MLFLOW_TRACKING_PASSWORD: password,
  } = process.env;
  if (ofEnvironment()?.origin !== address.origin) return {};
  if (token) return { authorization: `Bearer ${token}` };
  if (name) return { authorization: `Basic ${Buffer.from(`${name}:${password ?? ''}`).toString('base64')}` };
  return {};
}

/**
 * Opens the server at `uri`, else at MLFLOW_TRACKING_URI; no other address is contacted, redirections are refused.
 * @param options.opened the address stands in a run folder, which may come from anyone: it must be on this machine or that of the
 *   environment
 */
export function mlflowServer(
  uri: string | undefined,
  { timeout, opened }: { timeout: number; opened: boolean },
): MlflowServer {
  const own = ofEnvironment();
  const address = uri === undefined ? own : new URL(uri);
  if (!address)
    return fail('there is no address', 'set uri in the config, or MLFLOW_TRACKING_URI, to http://host:port');
  if (opened && !isHere(address) && address.origin !== own?.origin)
    return fail(
      `the run folder asks for ${address.origin}, and nothing says that this is your server`,
      `set MLFLOW_TRACKING_URI=${address.origin} if it is, or go on without: --set callbacks=[]`,
    );
  const base = address.href.replace(/\/+$/, '');
  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    const response = await fetch(`${base}/api/2.0/mlflow/${path}`, {
      ...init,
      headers: { 'content-type': 'application/json', ...credentials(address) },
      redirect: 'error',
      signal: AbortSignal.timeout(1000 * timeout),
    }).catch((cause: Error) => {
      const why = (cause.cause as Error | undefined)?.message ?? cause.message;
      return fail(`${address.origin} does not answer: ${why}`, 'start the server, or correct uri', cause);
    });
    const text = await response.text();
    const answer = parsed(text);
    if (response.ok) return answer ?? fail(`${address.origin} answers no JSON`, 'is this an MLflow server?');
    if (answer?.error_code === 'RESOURCE_DOES_NOT_EXIST') return undefined;
    return fail(
      `${address.origin} answers ${response.status} to ${path.split('?')[0]}: ${answer?.message ?? text.slice(0, 200)}`,
      response.status === 401 || response.status === 403
        ? 'set MLFLOW_TRACKING_URI to this address, and MLFLOW_TRACKING_TOKEN or _USERNAME and _PASSWORD'
        : "look into the server's log",
    );
  };
  return {
    get: (path, query) => ask(`${path}?${new URLSearchParams(query)}`, { method: 'GET' }),
    async post(path, body) {
      const answer = await ask(path, { method: 'POST', body: JSON.stringify(body) });
      return (
        answer ?? fail(`${address.origin} does not know what ${path} asks for`, 'delete mlflow.json of the run folder')
      );
    },
  };
}

function parsed(text: string): { error_code?: string; message?: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
