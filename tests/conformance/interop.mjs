// A certified OpenID provider of somebody else, with Portreeve as its client: registered by its issuer, connected by a person who
// signs in there, kept alive under calls of an agent, and ended; and the same provider in front of an MCP server.
import { setTimeout as pause } from 'node:timers/promises';
import { call, words } from './agent.mjs';
import { startGuarded } from './guarded.mjs';
import { Person } from './person.mjs';
import { mintToken, startPortreeve } from './portreeve.mjs';
import { within } from './processes.mjs';
import { report } from './prove.mjs';
import { claimsFor, startProvider } from './relying.mjs';
import { Visitor } from './visitor.mjs';

const ORIGIN = 'https://portreeve.test';
const PASSWORD = 'a gate that keeps its word 7';
// Tokens live for four seconds, which the provider counts whole, and are renewed after two: so often that none ends before.
const CALLS = 18;
const BETWEEN = 700;
const ENDED = 4500;

// What of an object is otherwise than it is wanted.
function unlike(what, is, wanted) {
  const show = (value) => JSON.stringify(value) ?? 'nothing';
  return Object.entries(wanted).flatMap(([name, value]) =>
    show(is[name]) === show(value) ? [] : [`${what}: ${name} is ${show(is[name])}, not ${show(value)}`],
  );
}

class Proof {
  // Of each provider that was registered with Portreeve, the server whose requests carry its accounts.
  servers = {};

  constructor(portreeve, provider, person, token) {
    Object.assign(this, { portreeve, provider, person, token, api: portreeve.api });
  }

  // An admin makes a client known to both, and has a server's requests carry the accounts of its people.
  async register(slug, method) {
    const client = await this.provider.register(`client_secret_${method}`);
    const known = { slug, name: 'The Provider', issuer: this.provider.issuer, client_id: client.id, client_secret: client.secret };
    if (method !== 'basic') known.client_auth = method;
    const made = await this.api('POST', 'providers', known);
    await client.comesBackTo(made.callback_url);
    const server = await startGuarded(async (bearer) => {
      const said = await this.provider.inspect(bearer);
      return said.active && said.client_id === client.id ? said : null;
    });
    this.servers[slug] = server;
    await this.api('POST', 'servers', { slug, name: slug, transport: 'http', url: server.url, enabled: true });
    const carried = { target: 'header', name: 'Authorization', source: 'oauth', provider: slug, template: 'Bearer {value}' };
    await this.api('PUT', `servers/${slug}/credentials`, [carried]);
    const { issuer } = this.provider;
    return unlike('the provider', made, {
      kind: 'oidc',
      issuer,
      authorize_url: `${issuer}/auth`,
      token_url: `${issuer}/token`,
      userinfo_url: `${issuer}/me`,
      revoke_url: `${issuer}/token/revocation`,
      client_auth: method,
      pkce: 'required',
      scopes: ['openid', 'profile', 'email', 'offline_access'],
    });
  }

  // A person connects their account. Gives what they were told, if nothing was connected, and the way that they came.
  async connect(slug, visitor) {
    const way = {};
    const fault = await this.person.connect(`/me/accounts/proof/connect/${slug}`, async (onward) => {
      way.onward = new URL(onward);
      way.back = new URL(await visitor.agree(onward));
      return way.back.href;
    });
    return { fault, ...way };
  }

  async accounts(slug) {
    const { id } = await this.api('GET', `providers/${slug}`);
    return (await this.api('GET', `connections?provider=${id}`)).items;
  }

  async accept(slug) {
    const read = await this.api('POST', `servers/${slug}/refresh`, {});
    if (!read.ok) return [`the tools cannot be read: ${read.server.catalogue.error}`];
    await this.api('POST', `servers/${slug}/tools/accept`, { tools: ['*'] });
    return [];
  }

  // What an agent's call comes to.
  async says(slug) {
    return words(await call(this.portreeve.ask, slug, this.token, 'tools/call', { name: 'whoami', arguments: {} }));
  }

  async serves(slug, sub) {
    const said = await this.says(slug);
    return said === `You are ${sub}.` ? [] : [`a call was answered ${said || 'nothing'}`];
  }

  // ---------------------------------------------------------------- what is proven

  async connected(slug, name) {
    const { fault, onward, back } = await this.connect(slug, new Visitor(name));
    if (fault) return [`nothing was connected: ${fault}`];
    const asked = Object.fromEntries(onward.searchParams);
    const [account, ...others] = await this.accounts(slug);
    return [
      ...unlike('the request', asked, { code_challenge_method: 'S256', response_type: 'code' }),
      ...(asked.code_challenge && asked.nonce && asked.state ? [] : ['the request has no challenge, nonce or state']),
      ...unlike('the way back', Object.fromEntries(back.searchParams), { iss: this.provider.issuer, state: asked.state }),
      ...unlike('the account', account ?? {}, {
        account_id: name,
        account_name: `The one called ${name}`,
        account_email: `${name}@example.test`,
        state: 'active',
        renews_itself: true,
      }),
      ...(account?.scopes.includes('offline_access') ? [] : [`offline_access was not granted, but ${account?.scopes}`]),
      ...others.map(() => 'there is another account'),
    ];
  }

  // Tokens end under the calls, and each refresh token is seen once.
  async renewed(slug, name) {
    const from = (await this.provider.events()).length;
    const faults = [];
    for (let calls = 0; calls < CALLS && !faults.length; calls += 1) {
      await pause(BETWEEN);
      faults.push(...(await this.serves(slug, name)));
    }
    const seen = (await this.provider.events()).slice(from);
    const count = (event) => seen.filter((one) => one.event === event).length;
    const [saved, consumed] = [count('refresh_token.saved'), count('refresh_token.consumed')];
    const tokens = new Set(this.servers[slug].shown.slice(-CALLS)).size;
    const bad = seen.filter(({ event, error }) => error || event === 'grant.revoked');
    if (saved < 3 || saved !== consumed || tokens < 3) {
      faults.push(`${saved} refresh tokens were given for ${consumed}, and ${tokens} access tokens were used`);
    }
    return [...faults, ...bad.map((one) => `the provider tells of ${JSON.stringify(one)}`)];
  }

  async refused(slug) {
    const { fault, back } = await this.connect(slug, new Visitor('grace', { aborts: true }));
    const wanted = 'The Provider was not given leave. Nothing was connected; try again when you want to allow it.';
    return [
      ...unlike('the way back', Object.fromEntries(back.searchParams), { error: 'access_denied', iss: this.provider.issuer }),
      ...(fault?.startsWith(wanted) ? [] : [`the person was told: ${fault ?? 'that it is connected'}`]),
      ...(await this.accounts(slug)).map(() => 'an account was connected'),
    ];
  }

  async ended(slug) {
    const [account] = await this.accounts(slug);
    // The server's token lives at this moment, so that it is the provider that ends it.
    const faults = await this.serves(slug, account.account_id);
    const living = this.servers[slug].shown.at(-1);
    const from = (await this.provider.events()).length;
    const { upstream } = await this.api('POST', `connections/${account.id}/disconnect`, {});
    const said = await this.provider.inspect(living);
    const seen = (await this.provider.events()).slice(from);
    const answered = await this.says(slug);
    return [
      ...faults,
      ...unlike('the end', { upstream, active: said.active }, { upstream: 'ended', active: false }),
      ...(seen.some(({ event }) => event === 'grant.revoked') ? [] : ['the provider revoked no grant']),
      ...(answered.startsWith('[CONNECT ACCOUNT]') ? [] : [`a call was answered ${answered}`]),
    ];
  }

  // A server that takes this provider's tokens, and those alone that are for it: Portreeve registers there by itself.
  async guarded(slug, name) {
    const { issuer } = this.provider;
    const server = await startGuarded((bearer) => claimsFor(bearer, issuer, server.url), issuer);
    this.servers[slug] = server;
    await this.api('POST', 'servers', { slug, name: slug, transport: 'http', url: server.url, enabled: true });
    const found = await this.api('POST', `servers/${slug}/provider`, {});
    const { fault, onward } = await this.connect(found.slug, new Visitor(name));
    if (fault) return [`nothing was connected: ${fault}`];
    const faults = await this.accept(slug);
    const made = await this.api('GET', `providers/${found.slug}`);
    const [account] = await this.accounts(found.slug);
    faults.push(
      ...unlike('the provider', made, { enrolment: 'registered', issuer, resource: server.url }),
      ...unlike('the request', Object.fromEntries(onward.searchParams), { resource: server.url }),
      ...unlike('the account', account ?? {}, { state: 'active', renews_itself: true }),
      ...(await this.serves(slug, name)),
    );
    await pause(ENDED);
    return [...faults, ...(await this.serves(slug, name))];
  }
}

async function main() {
  within(120);
  const provider = await startProvider();
  const portreeve = await startPortreeve({ origin: ORIGIN, password: PASSWORD });
  const person = new Person(portreeve.ask, ORIGIN);
  await person.signIn('owner@example.com', PASSWORD);
  const proof = new Proof(portreeve, provider, person, await mintToken(portreeve.api, portreeve.user));
  const all = [
    ['a provider is found by its issuer', () => proof.register('basic', 'basic')],
    ['an account is connected', () => proof.connected('basic', 'ada')],
    ['a call carries its token', async () => [...(await proof.accept('basic')), ...(await proof.serves('basic', 'ada'))]],
    ['tokens end and are renewed', () => proof.renewed('basic', 'ada')],
    ['an account is disconnected', () => proof.ended('basic')],
    ['a client with its secret in the body', () => proof.register('post', 'post')],
    ['a person turns back', () => proof.refused('post')],
    ['the same person connects', () => proof.connected('post', 'grace')],
    ['their calls carry their token', async () => [...(await proof.accept('post')), ...(await proof.serves('post', 'grace'))]],
    ['a server with tokens of its own', () => proof.guarded('own', 'joan')],
  ];
  const faults = [];
  try {
    for (const [what, prove] of all) {
      const found = await prove().catch((error) => [error.message]);
      console.log(`interop  ${what.padEnd(38)} ${found.length ? 'FAIL' : 'pass'}`);
      faults.push(...found.map((fault) => `${what}: ${fault}`));
    }
    return faults;
  } finally {
    for (const server of Object.values(proof.servers)) server.stop();
    await portreeve.stop();
    await provider.stop();
  }
}

report(await main());
