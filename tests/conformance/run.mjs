// Behind the script `run`, which says how to call it.
import { within } from './processes.mjs';
import { notice, prove, report } from './prove.mjs';

async function faults([mode, url, token, plain]) {
  if (mode === 'direct') return prove();
  if (mode === 'shim') return [...(await prove((upstream) => ({ ...upstream, token: 'any' }))), ...(await notice())];
  if (mode === 'through' && url && token) return prove(() => ({ url, token, plain, hides: true }));
  console.error('use: run direct | run shim | run through URL TOKEN [PLAIN-URL]');
  return process.exit(2);
}

within(300);
report(await faults(process.argv.slice(2)));
