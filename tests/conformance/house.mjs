// The place of the walks: a Portreeve with an owner and a member, each at a browser of their own, and agents of the member.
import { startDriver } from './browser.mjs';
import { addServer, startPortreeve } from './portreeve.mjs';
import { connectAgent } from './real/agent_v2.mjs';

export const OWNER = { email: 'owner@example.com', password: 'a gate that keeps its word 7' };
export const MEMBER = { name: 'Mara', email: 'mara@example.com', password: 'a walk around the whole house 7' };

export class House {
  #ends = [];

  static async open() {
    const house = new House();
    const portreeve = house.keep(await startPortreeve({ password: OWNER.password }));
    // As it calls itself where nobody says otherwise.
    const base = `http://localhost:${portreeve.port}`;
    Object.assign(house, { api: portreeve.api, base, org: `${base}/o/proof` });
    const driver = house.keep(await startDriver());
    for (const whose of ['owner', 'member']) house[whose] = await driver.open(whose);
    return house;
  }

  // Ends it with the house, the last first.
  keep(thing) {
    this.#ends.unshift(thing);
    return thing;
  }

  async close() {
    for (const browser of [this.owner, this.member]) await browser?.close();
    for (const thing of this.#ends) await thing.stop();
  }

  async addServer(slug, url) {
    const fault = await addServer(this.api, slug, url);
    if (fault) throw new Error(fault);
  }

  // A grant for the member on one server, with a policy of its own, and a client that carries its token. `another` gives one
  // more.
  async agent(server, document, opens) {
    const { items } = await this.api('GET', 'members?limit=50');
    const { id: user } = items.find(({ email }) => email === MEMBER.email);
    const { slug: policy } = await this.api('POST', 'policies', { name: `${server} rules`, document, server, publish: true });
    const grant = await this.api('POST', 'grants', {
      label: `an agent at ${server}`,
      principal: { user },
      servers: [server],
      policy,
      class_ceiling: 'write',
    });
    const { token } = await this.api('POST', `grants/${grant.id}/tokens`, { label: 'walk' });
    const another = async (leads) => {
      const agent = await connectAgent(`${this.base}/mcp/proof`, token, leads);
      this.keep({ stop: agent.close });
      return agent;
    };
    return { another, ...(await another(opens)) };
  }
}

// Fails where a text is not like this.
export function must(text, ...patterns) {
  for (const pattern of patterns) {
    if (!pattern.test(text)) throw new Error(`this is not like ${pattern}: ${text.replace(/\s+/g, ' ').slice(0, 800)}`);
  }
}

// The one link in a text that is like this.
export function linkIn(text, pattern) {
  const links = [...new Set(text.match(/https?:\/\/[^\s"<>]+/g) ?? [])].map((link) => link.replace(/[.;,)]+$/, ''));
  const found = links.filter((link) => pattern.test(link));
  if (found.length !== 1) throw new Error(`${found.length} links are like ${pattern} in: ${text.slice(0, 800)}`);
  return found[0];
}
