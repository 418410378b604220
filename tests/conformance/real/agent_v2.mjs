// The TypeScript SDK, version 2, as an agent that opens links where it is led to one.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

// Connects in the newest revision. `opens` gets every link that somebody has to follow before a call goes on.
export async function connectAgent(url, token, opens) {
  const capabilities = opens ? { elicitation: { url: {} } } : {};
  const versionNegotiation = { mode: { pin: '2026-07-28' } };
  const client = new Client({ name: 'walks', version: '1' }, { capabilities, versionNegotiation });
  if (opens) {
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      await opens(params);
      return { action: 'accept' };
    });
  }
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return {
    // What a call comes to, in words, and whether it is an error.
    call: async (name, args = {}) => {
      const { content, isError = false } = await client.callTool({ name, arguments: args });
      return { says: content.map(({ text }) => text).join('\n'), isError };
    },
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    close: () => client.close(),
  };
}
