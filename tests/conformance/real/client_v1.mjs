// The TypeScript SDK, version 1, as a client: client_v1.mjs URL CALLS
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [url, calls] = [process.argv[2], JSON.parse(process.argv[3])];
const headers = process.env.BEARER ? { Authorization: `Bearer ${process.env.BEARER}` } : {};
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client({ name: 'typescript-v1', version: '1' }, { capabilities: { elicitation: {}, sampling: {} } });
client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
  action: 'accept',
  content: Object.fromEntries(Object.keys(params.requestedSchema.properties).map((name) => [name, 'filled'])),
}));
client.setRequestHandler(CreateMessageRequestSchema, () => ({
  role: 'assistant',
  content: { type: 'text', text: 'sampled' },
  model: 'none',
}));
await client.connect(transport);
const { tools } = await client.listTools();
const texts = [];
for (const [name, args] of calls) texts.push((await client.callTool({ name, arguments: args })).content[0].text);
console.log(JSON.stringify({ version: transport.protocolVersion, tools: tools.length, texts }));
await client.close();
