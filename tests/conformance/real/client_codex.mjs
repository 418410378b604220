// Codex as a client, without a model: client_codex.mjs URL. Its app server tells the state of its MCP servers, for which
// it connects and lists the tools.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = join(import.meta.dirname, 'large/node_modules/@openai/codex/bin/codex.js');
const settings = [`mcp_servers.gate.url="${process.argv[2]}"`];
if (process.env.BEARER) settings.push('mcp_servers.gate.bearer_token_env_var="BEARER"');
const words = settings.flatMap((setting) => ['-c', setting]);
const codex = spawn(process.execPath, [program, 'app-server', ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
const send = (message) => codex.stdin.write(`${JSON.stringify(message)}\n`);
send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'proof', version: '1' } } });
send({ method: 'initialized' });
send({ id: 2, method: 'mcpServerStatus/list', params: {} });
for await (const line of createInterface({ input: codex.stdout })) {
  const { id, result } = JSON.parse(line);
  if (id !== 2) continue;
  const tools = Object.keys(result.data.find((server) => server.name === 'gate')?.tools ?? {});
  console.log(JSON.stringify({ version: null, tools: tools.length, texts: [] }));
  break;
}
codex.kill();
