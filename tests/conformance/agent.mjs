// An agent that speaks to Portreeve in the newest revision, one request at a time.
export const MODERN = '2026-07-28';

// Asks a server through the gateway, by its short name, and gives the answer.
export async function call(ask, slug, token, method, params) {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': MODERN,
    'mcp-method': method,
    ...(params.name ? { 'mcp-name': params.name } : {}),
  };
  const message = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } };
  const { text } = await ask('POST', `/mcp/proof/${slug}`, { headers, body: JSON.stringify(message) });
  const events = text.split('\n').filter((line) => line.startsWith('data:'));
  return JSON.parse(events.length ? events.at(-1).slice(5) : text);
}

// What the answer says, to whoever reads it.
export const words = (answer) => answer.result?.content?.[0]?.text ?? answer.error?.message ?? '';
