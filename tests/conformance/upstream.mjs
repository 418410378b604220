// The upstream of this folder, and where results go.
import { join } from 'node:path';
import { serve } from './processes.mjs';

const root = join(import.meta.dirname, '../..');
export const RESULTS = join(root, 'target/conformance/results');

// Starts the upstream on a port of its own; `stop` ends it.
export async function startUpstream(name, args = []) {
  const program = join(root, 'target/conformance/debug/conformance-upstream');
  const output = join(RESULTS, `${name}.log`);
  const server = await serve(program, args, /http:\/\/127\.0\.0\.1:\d+/, { output });
  return { url: `${server.match[0]}/mcp`, plain: `${server.match[0]}/plain`, stop: server.stop };
}
