// An MCP server at which things are ordered and paid back. It is open to everybody, and keeps what was carried out.
import { once } from 'node:events';
import http from 'node:http';

const CACHE = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public' };
const tool = (name, description, annotations) => ({
  name,
  description,
  inputSchema: {
    type: 'object',
    properties: { item: { type: 'string' }, amount: { type: 'number' } },
    required: ['item', 'amount'],
  },
  annotations,
});
const TOOLS = [
  tool('order', 'Orders something.', { readOnlyHint: false, destructiveHint: false }),
  tool('give_back', 'Gives something back.', { readOnlyHint: false, destructiveHint: false }),
];

export async function startDesk() {
  const done = [];
  const resultOf = (method, { name, arguments: args }) => {
    if (method === 'tools/list') return { tools: TOOLS, ...CACHE };
    if (method !== 'tools/call') return { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, ...CACHE };
    done.push({ name, ...args });
    return { content: [{ type: 'text', text: `Done: ${name} ${args.item} for ${args.amount}.` }], resultType: 'complete' };
  };
  const server = http.createServer(async (request, response) => {
    const { id, method, params } = JSON.parse(Buffer.concat(await request.toArray()).toString());
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: resultOf(method, params ?? {}) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/mcp`;
  return { url, done, stop: () => server.close().closeAllConnections() };
}
