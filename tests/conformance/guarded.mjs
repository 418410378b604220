// An MCP server with one tool, which lets in who shows a token that somebody vouches for, and keeps what it was shown.
import { once } from 'node:events';
import http from 'node:http';

const CACHE = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public' };
const TOOL = {
  name: 'whoami',
  description: 'Says who calls.',
  inputSchema: { type: 'object' },
  annotations: { readOnlyHint: true },
};

function resultOf(method, who) {
  if (method === 'tools/list') return { tools: [TOOL], ...CACHE };
  if (method === 'tools/call') return { content: [{ type: 'text', text: `You are ${who.sub}.` }], resultType: 'complete' };
  return { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, ...CACHE };
}

// `vouch` gives who a token stands for, or nothing. With an issuer, the server says whose tokens it takes (RFC 9728).
export async function startGuarded(vouch, issuer) {
  const shown = [];
  const server = http.createServer(async (request, response) => {
    const { url, origin } = guarded;
    const say = (status, body, headers) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    if (request.url === '/.well-known/oauth-protected-resource/mcp' && issuer) {
      return say(200, { resource: url, authorization_servers: [issuer], scopes_supported: ['read'] });
    }
    if (request.url !== '/mcp' || request.method !== 'POST') return say(404, {});
    const { id, method } = JSON.parse(Buffer.concat(await request.toArray()).toString());
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token && method === 'tools/call') shown.push(token);
    const who = token && (await vouch(token));
    const where = issuer ? `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` : 'Bearer';
    if (!who) return say(401, {}, { 'www-authenticate': where });
    return say(200, { jsonrpc: '2.0', id, result: resultOf(method, who) });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${server.address().port}`;
  const guarded = { origin, url: `${origin}/mcp`, shown, stop: () => server.close().closeAllConnections() };
  return guarded;
}
