// The official suite: its sets of scenarios, and their verdicts.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes.mjs';

const here = import.meta.dirname;
const stable = join(here, 'node_modules/conformance-stable/dist/index.js');
const next = join(here, 'node_modules/conformance-next/dist/index.js');

// Extensions are not part of a revision; those that a revision's own set leaves out run one by one.
const skills = ['enumeration', 'directory', 'manifest'].map((name) => [
  '--scenario', `sep-2640-skills-${name}`, '--spec-version', '2026-07-28', '--force',
]);

export const SETS = [
  { name: '0.1.16', program: stable, runs: [[]] },
  { name: '2025-03-26', program: next, runs: [['--spec-version', '2025-03-26', '--suite', 'all']] },
  { name: '2025-06-18', program: next, runs: [['--spec-version', '2025-06-18', '--suite', 'all']] },
  { name: '2025-11-25', program: next, runs: [['--requirements', '2025-11-25']] },
  { name: '2026-07-28', program: next, runs: [['--requirements', '2026-07-28']] },
  { name: 'skills', program: next, runs: skills },
];

// What the suite writes down while it works, not what it judges; how many there are depends on timing.
const TRANSCRIPT = ['outgoing-request', 'incoming-response', 'incoming-sse-event', 'stream-closed'];

function verdictsIn(folder) {
  const verdicts = new Map();
  for (const entry of readdirSync(folder).sort()) {
    const scenario = entry.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    const seen = {};
    for (const check of JSON.parse(readFileSync(join(folder, entry, 'checks.json'), 'utf8'))) {
      if (TRANSCRIPT.includes(check.id)) continue;
      seen[check.id] = (seen[check.id] ?? 0) + 1;
      const again = seen[check.id] > 1 ? `#${seen[check.id]}` : '';
      verdicts.set(`${scenario} ${check.id}${again}`, { status: check.status, message: check.errorMessage ?? '' });
    }
  }
  return verdicts;
}

// Runs a set against a server and gives the verdict of each check, by "scenario check".
export async function judge(set, url, results) {
  const folder = join(results, set.name);
  rmSync(folder, { recursive: true, force: true });
  for (const [index, args] of set.runs.entries()) {
    const output = join(results, `${set.name}.${index}.txt`);
    const words = [set.program, 'server', '--url', url, ...args, '-o', folder];
    const code = await run(process.execPath, words, { output, seconds: 120 });
    if (code === null) throw new Error(`the suite did not end within two minutes; see ${output}`);
  }
  return verdictsIn(folder);
}

export function count(verdicts, status) {
  return [...verdicts.values()].filter((verdict) => verdict.status === status).length;
}
