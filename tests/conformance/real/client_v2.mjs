// The TypeScript SDK, version 2, as a client: client_v2.mjs MODE URL CALLS; MODE is auto, legacy or a revision.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [mode, url, calls] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])];
const headers = process.env.BEARER ? { Authorization: `Bearer ${process.env.BEARER}` } : {};
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: 'typescript-v2', version: '2' }, {
  capabilities: { elicitation: {}, sampling: {} },
  versionNegotiation: { mode: ['auto', 'legacy'].includes(mode) ? mode : { pin: mode } },
});
client.setRequestHandler('elicitation/create', ({ params }) => ({
  action: 'accept',
  content: Object.fromEntries(Object.keys(params.requestedSchema.properties).map((name) => [name, 'filled'])),
}));
client.setRequestHandler('sampling/createMessage', () => ({
  role: 'assistant',
  content: { type: 'text', text: 'sampled' },
  model: 'none',
}));
await client.connect(transport);
const { tools } = await client.listTools();
const texts = [];
for (const [name, args] of calls) texts.push((await client.callTool({ name, arguments: args })).content[0].text);
console.log(JSON.stringify({ version: client.getNegotiatedProtocolVersion(), tools: tools.length, texts }));
await client.close();
