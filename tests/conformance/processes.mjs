// Starts programs and servers, and ends whatever it started: on return, failure, signal and overrun alike.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const children = new Set();
// A gentle one has children of its own to end.
process.on('exit', () => children.forEach((child) => child.kill(child.isGentle ? 'SIGTERM' : 'SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

// Ends this program after so many seconds, whatever it waits for.
export function within(seconds) {
  setTimeout(() => {
    console.error(`not done after ${seconds} seconds`);
    process.exit(1);
  }, seconds * 1000).unref();
}

function begin(command, args, options, stdio) {
  const child = spawn(command, args, { ...options, stdio });
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.once('error', (error) => {
    console.error(`${command}: ${error.message}`);
    process.exit(1);
  });
  return child;
}

// Runs a program to its end, with its output in a file and a line of input where there is one, and gives its exit code; null
// when it had to be ended.
export async function run(command, args, { output, seconds, input, ...options }) {
  mkdirSync(dirname(output), { recursive: true });
  const child = begin(command, args, options, [input ? 'pipe' : 'ignore', 'pipe', 'pipe']);
  if (input) child.stdin.end(`${input}\n`);
  const file = createWriteStream(output);
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  const overrun = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  const [code] = await once(child, 'close');
  clearTimeout(overrun);
  file.end();
  // Whoever reads it next finds all of it.
  await once(file, 'finish');
  return code;
}

// Starts a server and gives the first match in its output, by which it says that it is ready.
export async function serve(command, args, ready, { output, seconds = 60, isGentle = false, ...options }) {
  mkdirSync(dirname(output), { recursive: true });
  const child = begin(command, args, options, ['ignore', 'pipe', 'pipe']);
  child.isGentle = isGentle;
  const file = createWriteStream(output);
  let text = '';
  const found = new Promise((resolve, reject) => {
    const overrun = setTimeout(() => reject(new Error(`${command} is not ready; see ${output}`)), seconds * 1000);
    const look = (chunk) => {
      file.write(chunk);
      text += text.length < 1e6 ? chunk : '';
      const match = ready.exec(text);
      if (match) resolve(match);
      if (match) clearTimeout(overrun);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}; see ${output}`)));
  });
  const match = await found;
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const overrun = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await once(child, 'exit');
    clearTimeout(overrun);
  };
  return { match, child, stop };
}
