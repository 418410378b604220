// The official suite's scenarios for clients that sign in, with Portreeve as the client: each is a server of somebody else that
// protects itself, which is registered, connected, read and called through the gateway, as an admin, a person and an agent do.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODERN, call, words } from './agent.mjs';
import { apiOf, asker } from './http.mjs';
import { Person } from './person.mjs';
import { mintToken, startPortreeve } from './portreeve.mjs';
import { run, within } from './processes.mjs';
import { report } from './prove.mjs';
import { RESULTS } from './upstream.mjs';

const ORIGIN = 'https://portreeve.test';
const PASSWORD = 'a gate that keeps its word 7';
// What the suite would rather see and no installation can do: the document of a client at the suite's own address.
const WARNED = ['cimd-client-id-used'];
// Where the one who drives finds what stands ready; gone afterwards.
const STAGE = join(RESULTS, 'auth-stage.json');
const suite = join(import.meta.dirname, 'node_modules/conformance-next/dist/index.js');

// Those that a revision asks of clients, and the two of the revision in which servers gave tokens themselves.
const SCENARIOS = [
  ...['metadata-default', 'metadata-var1', 'metadata-var2', 'metadata-var3', 'basic-cimd', 'scope-from-www-authenticate',
    'scope-from-scopes-supported', 'scope-omitted-when-undefined', 'scope-step-up', 'scope-retry-limit',
    'token-endpoint-auth-basic', 'token-endpoint-auth-post', 'token-endpoint-auth-none', 'pre-registration',
    'resource-mismatch', 'offline-access-scope', 'offline-access-not-supported', 'authorization-server-migration',
    'iss-supported', 'iss-not-advertised', 'iss-supported-missing', 'iss-wrong-issuer', 'iss-unexpected', 'iss-normalized',
    'metadata-issuer-mismatch'].map((name) => [name, MODERN]),
  ['2025-03-26-oauth-metadata-backcompat', '2025-03-26'],
  ['2025-03-26-oauth-endpoint-fallback', '2025-03-26'],
];

// ---------------------------------------------------------------- one scenario, driven by the suite

async function drive(url) {
  const { port, key, token, cookies } = JSON.parse(readFileSync(STAGE, 'utf8'));
  const ask = asker(port, ORIGIN);
  const api = apiOf(ask, 'proof', key);
  const person = new Person(ask, ORIGIN, cookies);
  const slug = `at-${new URL(url).port}`;
  const client = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
  const own = client.client_id ? { client_id: client.client_id, client_secret: client.client_secret } : {};
  await api('POST', 'servers', { slug, name: slug, transport: 'http', url, enabled: true });
  const { slug: provider } = await api('POST', `servers/${slug}/provider`, own);
  const connect = async (path) => {
    const fault = await person.connect(path);
    if (fault) throw new Error(fault);
  };
  await connect(`/me/accounts/proof/connect/${provider}`);
  // A server whose authorization server has moved refuses what the one before gave; an admin looks whether that is so.
  const moved = async () => {
    await api('POST', `providers/${provider}/rediscover`, {});
    await connect(`/me/accounts/proof/connect/${provider}`);
  };
  let read = await api('POST', `servers/${slug}/refresh`, {});
  if (!read.ok) {
    await moved();
    read = await api('POST', `servers/${slug}/refresh`, {});
  }
  if (!read.ok) throw new Error(`its tools cannot be read: ${read.server.catalogue.error}`);
  const { items } = await api('GET', `servers/${slug}/tools?limit=10`);
  await api('POST', `servers/${slug}/tools/accept`, { tools: ['*'] });
  await call(ask, slug, token, 'tools/list', {});
  for (let tries = 0; tries < 3; tries += 1) {
    const answer = await call(ask, slug, token, 'tools/call', { name: items[0].name, arguments: {} });
    console.log(JSON.stringify(answer));
    if (answer.result && !answer.result.isError) return;
    const link = new RegExp(`${ORIGIN}(/me/accounts/[^\\s;]*)`).exec(words(answer))?.[1];
    if (link) await connect(link.replace(/[.;]+$/, ''));
    else await moved();
  }
  throw new Error('the call did not go through');
}

// ---------------------------------------------------------------- all of them

function verdict(folder) {
  const entry = readdirSync(folder, { recursive: true }).find((path) => path.endsWith('checks.json'));
  if (!entry) return { count: 0, faults: ['the suite wrote no verdicts'] };
  const checks = JSON.parse(readFileSync(join(folder, entry), 'utf8'));
  const isFault = ({ id, status }) => status === 'FAILURE' || (status === 'WARNING' && !WARNED.includes(id));
  return { count: checks.length, faults: checks.filter(isFault).map(({ id, errorMessage }) => `${id} ${errorMessage ?? ''}`) };
}

async function judge([name, version]) {
  const folder = join(RESULTS, 'auth', name);
  mkdirSync(folder, { recursive: true });
  const command = `${process.execPath} ${import.meta.filename} drive`;
  const args = [suite, 'client', '--command', command, '--scenario', `auth/${name}`, '--spec-version', version, '-o', folder];
  const code = await run(process.execPath, args, { output: join(RESULTS, 'auth', `${name}.txt`), seconds: 60 });
  if (code === null) return [`${name}: not done within a minute`];
  const { count, faults } = verdict(folder);
  // It ends with 1 for a warning as well.
  return faults.map((what) => `auth/${name}: ${what}`).concat(count ? [] : [`auth/${name}: nothing was judged, ${code}`]);
}

async function main() {
  within(240);
  rmSync(join(RESULTS, 'auth'), { recursive: true, force: true });
  const portreeve = await startPortreeve({ origin: ORIGIN, password: PASSWORD });
  try {
    const person = new Person(portreeve.ask, ORIGIN);
    await person.signIn('owner@example.com', PASSWORD);
    const token = await mintToken(portreeve.api, portreeve.user);
    const { port, key } = portreeve;
    writeFileSync(STAGE, JSON.stringify({ port, key, token, cookies: person.cookies }), { mode: 0o600 });
    const faults = [];
    const wanted = process.argv.slice(2);
    for (const scenario of SCENARIOS.filter(([name]) => !wanted.length || wanted.includes(name))) {
      const found = await judge(scenario);
      console.log(`auth     ${scenario[0].padEnd(38)} ${found.length ? 'FAIL' : 'pass'}`);
      faults.push(...found);
    }
    return faults;
  } finally {
    rmSync(STAGE, { force: true });
    await portreeve.stop();
  }
}

if (process.argv[2] === 'drive') await drive(process.argv.at(-1));
else report(await main());
