// A real Portreeve, started on a folder of its own and set up through its command line and API alone.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiOf, asker } from './http.mjs';
import { run, serve } from './processes.mjs';
import { RESULTS } from './upstream.mjs';

const program = process.env.PORTREEVE ?? join(import.meta.dirname, '../../target/debug/portreeve');

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Removes a folder once a process is gone that this program cannot wait for any more.
export function removeAfter(pid, folder) {
  const script = 'for _ in $(seq 200); do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done; rm -rf "$2"';
  spawn('sh', ['-c', script, 'sh', String(pid), folder], { detached: true, stdio: 'ignore' }).unref();
}

// Starts Portreeve on a folder of its own and makes the first organization; its owner has a password where one is given.
// `origin` is the address that it is known by, where that is not the one at which it listens. `stop` ends it and removes the
// folder.
export async function startPortreeve({ origin, password } = {}) {
  const data = mkdtempSync(join(tmpdir(), 'portreeve-conformance-'));
  const port = await freePort();
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PORTREEVE_DATA_DIR: data,
    PORTREEVE_LISTEN: `127.0.0.1:${port}`,
    PORTREEVE_METRICS_LISTEN: 'off',
    PORTREEVE_EGRESS_ALLOW: '127.0.0.0/8',
  };
  if (origin) env.PORTREEVE_BASE_URL = origin;
  if (process.env.PORTREEVE_PG_BIN_DIR) env.PORTREEVE_PG_BIN_DIR = process.env.PORTREEVE_PG_BIN_DIR;
  const output = join(RESULTS, 'portreeve.log');
  const server = await serve(program, ['serve'], /https?:\/\/\S+/, { output, env, seconds: 90, isGentle: true });
  const forget = () => removeAfter(server.child.pid, data);
  process.once('exit', forget);
  const made = join(RESULTS, 'bootstrap.json');
  const words = ['bootstrap', '--org', 'proof', '--email', 'owner@example.com', '--json'];
  if (password) words.push('--password-stdin');
  const code = await run(program, words, { output: made, env, seconds: 60, input: password });
  const text = readFileSync(made, 'utf8');
  if (code !== 0) throw new Error(`bootstrap ended with ${code}: ${text}`);
  const { api_key: key, user } = JSON.parse(text.slice(text.indexOf('{"')));
  rmSync(made);
  const stop = async () => {
    await server.stop();
    process.off('exit', forget);
    rmSync(data, { recursive: true, force: true });
  };
  const base = `http://127.0.0.1:${port}`;
  const ask = asker(port, origin ?? base);
  return { base, port, key, user, ask, api: apiOf(ask, 'proof', key), stop };
}

// Adds a server and accepts all its tools. Gives why its catalogue cannot be read, if it cannot.
export async function addServer(api, slug, url) {
  await api('POST', 'servers', { slug, name: slug, transport: 'http', url, enabled: true });
  const { ok, server } = await api('POST', `servers/${slug}/refresh`, {});
  if (!ok) return `catalogue: ${server.catalogue.error}`;
  await api('POST', `servers/${slug}/tools/accept`, { tools: ['*'] });
  return null;
}

// A token that may call everything.
export async function mintToken(api, user) {
  const document = { version: '1', default: 'allow' };
  const { slug } = await api('POST', 'policies', { name: 'Open', document, publish: true });
  const grant = await api('POST', 'grants', {
    label: 'proof',
    principal: { user: user.id },
    servers: 'all',
    policy: slug,
    class_ceiling: 'financial',
  });
  return (await api('POST', `grants/${grant.id}/tokens`, { label: 'proof' })).token;
}
