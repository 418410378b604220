// Has everything run through a real Portreeve, and holds its record against what reached the upstream.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addServer, mintToken, startPortreeve } from './portreeve.mjs';
import { within } from './processes.mjs';
import { prove, report } from './prove.mjs';
import { RESULTS, startUpstream } from './upstream.mjs';

// How often each tool was called, by the upstream's own log.
function callsIn(log) {
  const calls = {};
  for (const line of readFileSync(log, 'utf8').split('\n').filter(Boolean)) {
    const { tool } = JSON.parse(line);
    calls[tool] = (calls[tool] ?? 0) + 1;
  }
  return calls;
}

// How often a call of each tool was put on record before it left.
async function recorded(api) {
  const calls = {};
  for (let cursor = ''; cursor !== null; ) {
    const next = cursor && `&cursor=${encodeURIComponent(cursor)}`;
    const page = await api('GET', `events?action=call.allowed&limit=100${next}`);
    for (const { target } of page.items) {
      const tool = target.name.split('/').pop();
      calls[tool] = (calls[tool] ?? 0) + 1;
    }
    cursor = page.next_cursor;
  }
  return calls;
}

// Nothing may have reached the upstream that is not on record.
async function unrecorded(api, log) {
  const record = await recorded(api);
  const reached = Object.entries(callsIn(log));
  const missing = reached.filter(([tool, times]) => times > (record[tool] ?? 0));
  console.log(`record   ${reached.reduce((sum, [, times]) => sum + times, 0)} calls reached the upstream`);
  return missing.map(([tool, times]) => `record: ${tool} reached the upstream ${times} times, ${record[tool] ?? 0} on record`);
}

async function main() {
  within(240);
  const log = join(RESULTS, 'calls.log');
  rmSync(log, { force: true });
  const behind = await startUpstream('behind', ['--log', log]);
  const portreeve = await startPortreeve();
  try {
    const added = [
      await addServer(portreeve.api, 'upstream', behind.url),
      await addServer(portreeve.api, 'plain', behind.plain),
    ].filter(Boolean);
    if (added.length) return added;
    const token = await mintToken(portreeve.api, portreeve.user);
    const at = (slug) => `${portreeve.base}/mcp/proof/${slug}`;
    const faults = await prove(() => ({ url: at('upstream'), token, plain: at('plain'), hides: true }));
    return [...faults, ...(await unrecorded(portreeve.api, log))];
  } finally {
    await portreeve.stop();
    await behind.stop();
  }
}

report(await main());
