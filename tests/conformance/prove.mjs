// Runs everything directly, against the baseline, and through a gateway, against the direct run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exchange, losses } from './plain.mjs';
import { startShim } from './shim.mjs';
import { SETS, count, judge } from './suite.mjs';
import { RESULTS, startUpstream } from './upstream.mjs';

// The lines of baseline.txt: how many checks of a set pass, and each that does not.
function readBaseline() {
  const lines = readFileSync(join(import.meta.dirname, 'baseline.txt'), 'utf8').split('\n');
  return lines.filter((line) => line && !line.startsWith('#')).sort();
}

function asBaseline(name, verdicts) {
  const lines = [`${name} ${count(verdicts, 'SUCCESS')} pass`];
  for (const [check, { status }] of verdicts) {
    if (status !== 'SUCCESS') lines.push(`${name} ${check} ${status}`);
  }
  return lines;
}

function differences(before, after, what) {
  const missing = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`);
  const added = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`);
  return [...missing, ...added].map((line) => `${what}: ${line}`);
}

function lost(name, direct, through) {
  const lines = [];
  for (const check of new Set([...direct.keys(), ...through.keys()])) {
    const [before, after] = [direct.get(check), through.get(check)];
    if (before?.status === after?.status) continue;
    lines.push(`${name}: ${check}: directly ${before?.status ?? 'absent'}, through ${after?.status ?? 'absent'} ${after?.message ?? ''}`);
  }
  return lines;
}

async function judgeAll(url, folder) {
  const verdicts = new Map();
  for (const set of SETS) {
    verdicts.set(set.name, await judge(set, url, join(RESULTS, folder)));
    const of = (status) => count(verdicts.get(set.name), status);
    console.log(`${folder.padEnd(8)} ${set.name.padEnd(11)} ${of('SUCCESS')} pass, ${of('FAILURE')} fail`);
  }
  return verdicts;
}

// Runs everything directly and, if there is one, through a gateway. Gives what was found wrong.
export async function prove(gateway) {
  const upstream = await startUpstream('upstream');
  const direct = await judgeAll(upstream.url, 'direct');
  const measured = [...direct].flatMap(([name, verdicts]) => asBaseline(name, verdicts)).sort();
  const faults = differences(readBaseline(), measured, 'baseline');
  const way = gateway?.(upstream);
  if (way) faults.push(...(await lostVerdicts(way, direct)));
  if (way?.plain) faults.push(...(await lostBytes(way, upstream)));
  await upstream.stop();
  return faults;
}

async function lostVerdicts(way, direct) {
  const shim = await startShim(way.url, { token: way.token });
  const through = await judgeAll(shim.url, 'through');
  shim.stop();
  return [...through].flatMap(([name, verdicts]) => lost(name, direct.get(name), verdicts));
}

async function lostBytes(way, upstream) {
  const answers = await exchange(way.plain, way.token);
  const gone = losses(await exchange(upstream.plain), answers, way.hides);
  const changed = new Set(gone.map(({ name }) => name));
  console.log(`through  bytes       ${answers.size - changed.size} of ${answers.size} messages unchanged`);
  return gone.map(({ name, fault }) => `plain: ${name}: ${fault}`);
}

// Has messages pass one who reads and rewrites JSON, as typed models do, and gives what is wrong with this harness: that
// it did not notice.
export async function notice() {
  const upstream = await startUpstream('upstream');
  const shim = await startShim(upstream.plain, { rewrite: (body) => JSON.stringify(JSON.parse(body)) });
  const gone = losses(await exchange(upstream.plain), await exchange(shim.url));
  shim.stop();
  await upstream.stop();
  const noticed = ['odd result', 'first page', 'url required'].filter((name) => gone.some((loss) => loss.name.endsWith(name)));
  console.log(`rewritten messages noticed: ${noticed.join(', ')}`);
  return noticed.length === 3 ? [] : ['rewritten JSON went unnoticed'];
}

export function report(faults) {
  faults.forEach((fault) => console.error(fault));
  console.log(faults.length ? `${faults.length} differences` : 'nothing is lost');
  process.exit(faults.length ? 1 : 0);
}
