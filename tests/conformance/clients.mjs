// Real clients against real servers, through a real Portreeve: each connects, lists the tools and calls some.
// clients [--all] [direct]: --all also runs Claude Code and Codex, `direct` leaves Portreeve out.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addServer, freePort, mintToken, startPortreeve } from './portreeve.mjs';
import { run, serve, within } from './processes.mjs';
import { RESULTS, startUpstream } from './upstream.mjs';

const here = join(import.meta.dirname, 'real');
const python = join(import.meta.dirname, '../../target/conformance/python/bin/python');
const node = process.execPath;
const memory = join(here, 'node_modules/@modelcontextprotocol/server-memory/dist/index.js');
const home = mkdtempSync(join(tmpdir(), 'portreeve-clients-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));

// Nothing of this user's own settings or credentials may be found by a client.
const bare = {
  PATH: `${join(import.meta.dirname, 'node_modules/.bin')}:/usr/bin:/bin`,
  HOME: home,
  TERM: 'xterm-256color',
  COLUMNS: '2000',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  DISABLE_AUTOUPDATER: '1',
};

const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';

// [name, era it must end up in where the server has it, how to call it].
const SDK_CLIENTS = [
  ['python mcp, auto', null, (url, calls) => [python, ['client_mcp.py', 'auto', url, calls]]],
  ['python mcp, legacy', LEGACY, (url, calls) => [python, ['client_mcp.py', 'legacy', url, calls]]],
  ['python mcp, modern', MODERN, (url, calls) => [python, ['client_mcp.py', MODERN, url, calls]]],
  ['fastmcp', null, (url, calls) => [python, ['client_fastmcp.py', url, calls]]],
  ['typescript v1', LEGACY, (url, calls) => [node, ['client_v1.mjs', url, calls]]],
  ['typescript v2, auto', null, (url, calls) => [node, ['client_v2.mjs', 'auto', url, calls]]],
  ['typescript v2, legacy', LEGACY, (url, calls) => [node, ['client_v2.mjs', 'legacy', url, calls]]],
  ['typescript v2, modern', MODERN, (url, calls) => [node, ['client_v2.mjs', MODERN, url, calls]]],
];

async function startEverything() {
  const port = await freePort();
  const program = join(here, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
  const words = ['--import', join(here, 'loopback.mjs'), program, 'streamableHttp'];
  const env = { ...bare, PORT: String(port) };
  const server = await serve(node, words, /listening on port/, { env, output: join(RESULTS, 'everything.log') });
  return { url: `http://127.0.0.1:${port}/mcp`, stop: server.stop };
}

async function startPython(script, ...rest) {
  const port = await freePort();
  const env = { ...bare, MEMORY_FILE_PATH: join(home, 'memory.jsonl') };
  const output = join(RESULTS, `${script}.log`);
  const server = await serve(python, [join(here, script), String(port), ...rest], /running on/, { env, output });
  return { url: `http://127.0.0.1:${port}/mcp`, stop: server.stop };
}

// Two of the calls ask the client for input in the middle.
async function ours(name, eras, words) {
  return {
    name, eras, ...(await startUpstream(`upstream-${name}`, words)),
    calls: [['test_simple_text', {}], ['test_elicitation', { message: 'Who?' }], ['test_sampling', { prompt: 'Go.' }]],
    answers: [/plain text/, /filled/, /sampled/],
  };
}

// Each server with the eras it speaks, calls, and what each must answer.
async function startServers() {
  return [
    await ours('upstream', [LEGACY, MODERN], []),
    await ours('legacy', [LEGACY], ['--era', 'legacy']),
    await ours('modern', [MODERN], ['--era', 'modern']),
    {
      name: 'everything', eras: [LEGACY], ...(await startEverything()),
      calls: [['echo', { message: 'hello' }]], answers: [/hello/],
    },
    {
      name: 'fastmcp', eras: [LEGACY, MODERN], ...(await startPython('server_fastmcp.py')),
      calls: [['echo', { text: 'hello' }]], answers: [/hello/],
    },
    {
      name: 'memory', eras: [LEGACY, MODERN], ...(await startPython('server_bridge.py', node, memory)),
      calls: [['read_graph', {}]], answers: [/entities/],
    },
  ];
}

const lines = [];
function note(client, server, era, fault) {
  lines.push(fault);
  console.log([client.padEnd(22), server.padEnd(11), (era ?? '-').padEnd(11), fault ? `FAILED: ${fault}` : 'ok'].join(' '));
}

async function launch(name, command, args, env) {
  const output = join(RESULTS, 'clients', `${name.replace(/\W+/g, '-')}.txt`);
  const code = await run(command, args, { output, env: { ...bare, ...env }, cwd: here, seconds: 60 });
  return { code, output, text: readFileSync(output, 'utf8') };
}

function faultIn(server, era, reply) {
  if (era && reply.version !== era) return `spoke ${reply.version}`;
  if (reply.tools < 1) return 'saw no tools';
  const wrong = server.answers.findIndex((answer, index) => !answer.test(reply.texts[index]));
  return wrong < 0 ? null : `${server.calls[wrong][0]} answered ${reply.texts[wrong]}`;
}

async function trySdk([name, era, command], server, isDirect) {
  if (isDirect && era && !server.eras.includes(era)) return;
  const [program, args] = command(server.url, JSON.stringify(server.calls));
  const { code, output, text } = await launch(`${name} ${server.name}`, program, args, server.env);
  const reply = /^\{"version".*\}$/m.exec(text);
  if (code !== 0 || !reply) return note(name, server.name, era, `exit code ${code}, see ${output}`);
  const said = JSON.parse(reply[0]);
  note(name, server.name, said.version, faultIn(server, era, said));
}

async function tryInspector(server, era) {
  const file = join(home, `inspector-${era}.json`);
  const headers = server.env.BEARER ? { Authorization: `Bearer ${server.env.BEARER}` } : {};
  const entry = { type: 'streamable-http', url: server.url, headers, protocolEra: era };
  writeFileSync(file, JSON.stringify({ mcpServers: { gate: entry } }));
  const [tool, input] = server.calls[0];
  const pairs = Object.entries(input).flatMap(([key, value]) => ['--tool-arg', `${key}=${value}`]);
  const words = ['node_modules/.bin/mcp-inspector', '--cli', '--config', file, '--server', 'gate'];
  for (const method of [['tools/list'], ['tools/call', '--tool-name', tool, ...pairs]]) {
    const name = `inspector ${server.name} ${era} ${method[0]}`;
    const { code, output, text } = await launch(name, node, [...words, '--method', ...method], {});
    const fine = code === 0 && (method[0] === 'tools/list' ? text.includes(tool) : server.answers[0].test(text));
    note(`inspector ${method[0]}`, server.name, era, fine ? null : `exit code ${code}, see ${output}`);
  }
}

async function tryClaude(server) {
  const claude = join(here, 'large/node_modules/@anthropic-ai/claude-code-linux-x64/claude');
  const header = server.env.BEARER ? ['--header', `Authorization: Bearer ${server.env.BEARER}`] : [];
  await launch('claude add', claude, ['mcp', 'add', '--scope', 'user', '--transport', 'http', server.name, server.url, ...header], {});
  const { output, text } = await launch(`claude ${server.name}`, claude, ['mcp', 'list'], {});
  const connected = new RegExp(`^${server.name}:.*Connected`, 'm').test(text);
  note('claude code', server.name, null, connected ? null : `not connected, see ${output}`);
}

async function tryCodex(server) {
  const { code, output, text } = await launch(`codex ${server.name}`, node, ['client_codex.mjs', server.url], server.env);
  const tools = /"tools":(\d+)/.exec(text)?.[1];
  note('codex', server.name, null, tools > 0 ? null : `exit code ${code}, saw no tools, see ${output}`);
}

async function bringTogether(servers) {
  const portreeve = await startPortreeve();
  for (const server of servers) {
    note('portreeve', server.name, null, await addServer(portreeve.api, server.name, server.url));
  }
  const token = await mintToken(portreeve.api, portreeve.user);
  for (const server of servers) {
    server.url = `${portreeve.base}/mcp/proof/${server.name}`;
    server.env = { BEARER: token };
  }
  return portreeve;
}

async function main(words) {
  within(600);
  const isDirect = words.includes('direct');
  const servers = (await startServers()).map((server) => ({ ...server, env: {} }));
  const portreeve = isDirect ? null : await bringTogether(servers);
  try {
    for (const server of servers) {
      for (const client of SDK_CLIENTS) await trySdk(client, server, isDirect);
      // Only Portreeve brings a client and a server of different eras together.
      const eras = isDirect ? server.eras : [LEGACY, MODERN];
      for (const era of eras) await tryInspector(server, era === MODERN ? 'modern' : 'legacy');
      if (words.includes('--all')) await tryClaude(server);
      if (words.includes('--all') && eras.includes(LEGACY)) await tryCodex(server);
    }
  } finally {
    await portreeve?.stop();
    for (const server of servers) await server.stop();
  }
  const failed = lines.filter(Boolean).length;
  console.log(failed ? `${failed} of ${lines.length} failed` : `all ${lines.length} connect`);
  process.exit(failed ? 1 : 0);
}

await main(process.argv.slice(2));
