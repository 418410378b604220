// Somebody at a browser without script: keeps cookies, fills in forms, follows nothing by itself.
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#34': '"', '#38': '&', '#60': '<', '#62': '>' };

const plain = (text) => text.replace(/&(#?\w+);/g, (whole, name) => ENTITIES[name] ?? whole);
export const attribute = (tag, name) => plain(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? '');

// The forms of a page: of each its address, and what it would send.
export function formsOf(page) {
  return [...page.matchAll(/<form([^>]*)>([\s\S]*?)<\/form>/g)].map(([, head, inner]) => {
    const fields = {};
    for (const [tag] of inner.matchAll(/<input[^>]*>/g)) fields[attribute(tag, 'name')] = attribute(tag, 'value');
    for (const [, select, options] of inner.matchAll(/<select([^>]*)>([\s\S]*?)<\/select>/g)) {
      const all = [...options.matchAll(/<option[^>]*>/g)].map(([option]) => option);
      fields[attribute(select, 'name')] = attribute(all.find((option) => option.includes(' selected')) ?? all[0], 'value');
    }
    return [attribute(head, 'action'), fields];
  });
}

function formAt(page, action) {
  const found = formsOf(page).find(([address]) => address === action);
  if (!found) throw new Error(`the page has no form for ${action}: ${page.slice(0, 2000)}`);
  return found[1];
}

// Where a provider that agrees at once sends back to.
async function atOnce(onward) {
  const there = await fetch(onward, { redirect: 'manual' });
  return there.headers.get('location') ?? `${there.status}`;
}

export class Person {
  constructor(ask, origin, cookies = {}) {
    Object.assign(this, { ask, origin, cookies });
  }

  async #send(method, path, body) {
    const cookie = Object.entries(this.cookies).map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie };
    if (body) Object.assign(headers, { origin: this.origin, 'content-type': 'application/x-www-form-urlencoded' });
    const answer = await this.ask(method, path, { headers, body });
    for (const set of answer.headers['set-cookie'] ?? []) {
      const [name, value] = set.split(';')[0].split(/=(.*)/s);
      this.cookies[name] = value;
    }
    return answer;
  }

  open(path) {
    return this.#send('GET', path);
  }

  // Sends the form of a page with these words in it.
  submit(page, action, words) {
    return this.#send('POST', action, new URLSearchParams({ ...formAt(page.text, action), ...words }).toString());
  }

  async signIn(email, password) {
    let page = await this.open('/login');
    page = await this.submit(page, '/login', { email });
    page = await this.submit(page, '/login/password', { password });
    if (page.status !== 303) throw new Error(`nobody is signed in: ${page.status} ${page.text.slice(0, 2000)}`);
  }

  // Connects an account: to the provider, where `agree` sees to it, and back. Gives why nothing was connected, if nothing was.
  async connect(path, agree = atOnce) {
    const page = await this.open(path);
    const leaving = await this.submit(page, path.split('?')[0], {});
    const onward = plain(/^0;url=(.*)$/.exec(leaving.headers.refresh ?? '')?.[1] ?? '');
    if (!onward) return `no way to the provider: ${leaving.status}`;
    const back = await agree(onward);
    if (!back.startsWith(`${this.origin}/`)) return `the provider did not agree: ${back}`;
    const done = await this.open(back.slice(this.origin.length));
    return done.status === 303 ? null : /<p[^>]*>([^<]*)<\/p>/.exec(done.text.split('<main')[1] ?? '')?.[1] ?? `${done.status}`;
  }
}
