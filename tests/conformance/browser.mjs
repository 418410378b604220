// Somebody at a real Chromium, with script: sees pages, clicks and types with trusted input, by WebDriver through ChromeDriver.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { removeAfter } from './portreeve.mjs';
import { serve } from './processes.mjs';
import { RESULTS } from './upstream.mjs';

const FLAGS = [
  '--headless=new',
  // Root needs it, and nothing but our own pages is opened.
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--window-size=1440,900',
  // The browser ends when the pipe does, so it cannot outlive ChromeDriver.
  '--remote-debugging-pipe',
];
const PATIENCE = 10_000;
const SHOTS = process.env.WALKS_SHOTS;

// Gives the first element that can be seen, matches and says these words, whatever is before and after them.
const FIND = `const [css, words] = arguments;
  const says = (element) => (element.innerText || element.value || '').replace(/\\s+/g, ' ').includes(words);
  return [...document.querySelectorAll(css)].find((element) => element.checkVisibility() && says(element)) ?? null;`;

// One ChromeDriver; `open` gives a fresh browser of somebody's own.
export async function startDriver() {
  const folder = mkdtempSync(join(tmpdir(), 'portreeve-browser-'));
  const output = join(RESULTS, 'chromedriver.log');
  const env = { PATH: process.env.PATH, HOME: folder, TMPDIR: folder };
  const driver = await serve('chromedriver', ['--port=0'], /successfully on port (\d+)/, { output, env, isGentle: true });
  const forget = () => removeAfter(driver.child.pid, folder);
  process.once('exit', forget);
  const address = `http://127.0.0.1:${driver.match[1]}/session`;
  const open = async (whose) => {
    const args = [...FLAGS, `--user-data-dir=${join(folder, whose)}`];
    const { sessionId } = await asked('POST', address, { capabilities: { alwaysMatch: {
      browserName: 'chrome',
      'goog:loggingPrefs': { browser: 'ALL' },
      'goog:chromeOptions': { args },
      timeouts: { script: 30_000, pageLoad: 30_000 },
    } } });
    return new Browser(`${address}/${sessionId}`, whose);
  };
  const stop = async () => {
    await driver.stop();
    process.off('exit', forget);
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  return { open, stop };
}

// One command; what the driver refuses is an error with its words, without the stack.
async function asked(method, address, body) {
  const answer = await fetch(address, { method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(60_000) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${value.error}: ${value.message.split('\n')[0]}`);
  return value;
}

class Browser {
  constructor(address, whose) {
    Object.assign(this, { address, whose });
  }

  #post(path, body = {}) {
    return asked('POST', `${this.address}${path}`, body);
  }

  #cdp(cmd, params = {}) {
    return this.#post('/goog/cdp/execute', { cmd, params });
  }

  // Runs a function body in the page.
  run(script, ...args) {
    return this.#post('/execute/sync', { script, args });
  }

  url() {
    return asked('GET', `${this.address}/url`);
  }

  // Opens a page and waits until it has loaded.
  goto(url) {
    return this.#post('/url', { url });
  }

  // Asks until there is an answer, across page loads: a page that is just being left refuses the question.
  async #patiently(what, ask) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const found = await ask().catch(() => null);
      if (found) return found;
      if (Date.now() > end) {
        const script = 'return `${location.href} says: ${document.body.innerText}`';
        const page = await this.run(script).catch(({ message }) => message);
        throw new Error(`${this.whose} does not find ${what}; ${page.replace(/\s+/g, ' ').slice(0, 1500)}`);
      }
      await pause(50);
    }
  }

  #find(css, words) {
    return this.#patiently(`${css} “${words}”`, () => this.run(FIND, css, words));
  }

  // Waits until an element that matches says this, and gives all that it says.
  async see(css, words = '') {
    return this.run('return arguments[0].innerText', await this.#find(css, words));
  }

  // Waits until the address is like this.
  async at(pattern) {
    await this.#patiently(`the address ${pattern}`, async () => pattern.test(await this.url()));
  }

  // Clicks where a person would; fails when something lies over the element.
  async click(css, words = '') {
    await this.#patiently(`${css} “${words}” to click`, async () => {
      const element = await this.run(FIND, css, words);
      if (element) await this.#post(`/element/${Object.values(element)[0]}/click`);
      return Boolean(element);
    });
  }

  // Whether an element matches at this moment, seen or not.
  has(css) {
    return this.run('return document.querySelector(arguments[0]) !== null', css);
  }

  async #element(css) {
    return Object.values(await this.#patiently(css, () => this.run('return document.querySelector(arguments[0])', css)))[0];
  }

  // Replaces what a field holds by typing.
  async fill(css, words) {
    const id = await this.#element(css);
    await this.#post(`/element/${id}/clear`);
    await this.#post(`/element/${id}/value`, { text: words });
  }

  // Chooses what a select has under this value.
  async choose(css, value) {
    await this.#post(`/element/${await this.#element(`${css} option[value="${value}"]`)}/click`);
  }

  async signIn(base, email, password) {
    await this.goto(`${base}/login`);
    await this.fill('#f-email', email);
    await this.click('button', 'Continue');
    await this.fill('#f-password', password);
    await this.click('button', 'Sign in');
    await this.at(/^(?!.*\/login)/);
  }

  // What the console said of scripts that broke, of what a policy blocked, and of resources at these addresses that are
  // missing. An answer of 4xx to a page that was asked for is no fault of the page, and what others' pages lack is theirs.
  async faults(base) {
    const lines = await this.#post('/se/log', { type: 'browser' });
    const isFault = ({ level, source, message }) => level === 'SEVERE'
      && (source !== 'network' || (message.includes(base) && !message.includes('responded with a status of 4')));
    return lines.filter(isFault).map(({ message }) => `the console of ${this.whose} says ${message}`);
  }

  // Where shots are wanted: the whole page in both schemes and both widths that the console is made for.
  async shoot(name) {
    if (!SHOTS) return;
    await this.run('scrollTo(0, 0)');
    mkdirSync(SHOTS, { recursive: true });
    for (const width of [1440, 390]) {
      const size = { width, height: width === 390 ? 844 : 900, deviceScaleFactor: 1, mobile: false };
      await this.#cdp('Emulation.setDeviceMetricsOverride', size);
      await this.#cdp('Emulation.setScrollbarsHidden', { hidden: true });
      for (const scheme of ['light', 'dark']) {
        await this.#cdp('Emulation.setEmulatedMedia', {
          features: [
            { name: 'prefers-color-scheme', value: scheme },
            { name: 'prefers-reduced-motion', value: 'reduce' },
          ],
        });
        const { data } = await this.#cdp('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
        writeFileSync(join(SHOTS, `${name}-${width}-${scheme}.png`), Buffer.from(data, 'base64'));
      }
    }
    await this.#cdp('Emulation.setScrollbarsHidden', { hidden: false });
    await this.#cdp('Emulation.clearDeviceMetricsOverride');
    await this.#cdp('Emulation.setEmulatedMedia', { features: [] });
  }

  close() {
    return asked('DELETE', this.address);
  }
}
