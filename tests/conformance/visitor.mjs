// Somebody at the pages of the OpenID provider: keeps its cookies, follows where it leads, signs in and agrees.
import { attribute, formsOf } from './person.mjs';

export class Visitor {
  #cookies = {};

  // With a name the one who signs in; `aborts` has them turn back at the last page.
  constructor(name, { aborts = false } = {}) {
    Object.assign(this, { name, aborts });
  }

  async #send(address, fields) {
    const cookie = Object.entries(this.#cookies).map(([name, value]) => `${name}=${value}`).join('; ');
    const body = fields && new URLSearchParams(fields);
    const answer = await fetch(address, { method: body ? 'POST' : 'GET', body, headers: { cookie }, redirect: 'manual' });
    for (const set of answer.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split(/=(.*)/s);
      this.#cookies[name] = value;
    }
    return answer;
  }

  // From the address that they are sent to, to the one at somebody else's that they are sent back to.
  async agree(start) {
    const { origin } = new URL(start);
    let answer = await this.#send(start);
    for (let steps = 0; steps < 20; steps += 1) {
      const onward = answer.headers.get('location');
      const page = await answer.text();
      if (!onward && answer.status !== 200) throw new Error(`the provider answered ${answer.status}: ${page.slice(0, 300)}`);
      const next = onward && new URL(onward, answer.url);
      if (next && next.origin !== origin) return next.href;
      answer = next ? await this.#send(next) : await this.#see(page, answer.url);
    }
    throw new Error('the provider leads nowhere');
  }

  #see(page, at) {
    const cancel = [...page.matchAll(/<a[^>]*>/g)].map(([tag]) => attribute(tag, 'href')).find((href) => href.endsWith('/abort'));
    const [[action, fields]] = formsOf(page);
    const asked = fields.prompt === 'login' ? { login: this.name, password: 'any' } : {};
    if (this.aborts && fields.prompt === 'consent') return this.#send(new URL(cancel, at));
    return this.#send(new URL(action, at), { ...fields, ...asked });
  }
}
