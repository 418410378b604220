// An agent needs an account of its person's: it is told where to connect one, its person does, and its calls carry their token,
// until an admin ends that. A certified OpenID provider of somebody else stands in for the service.
import { startGuarded } from './guarded.mjs';
import { linkIn, must } from './house.mjs';
import { startProvider } from './relying.mjs';

const DOCUMENT = { version: '1', default: 'allow' };

// Agrees at the provider's own pages; with a name whoever signs in there first, without one who did before.
async function agree(browser, login) {
  await browser.at(/\/interaction\//);
  if (login) {
    await browser.fill('[name=login]', login);
    await browser.fill('[name=password]', 'any');
    await browser.click('button', 'Sign-in');
  }
  await browser.click('button', 'Continue');
}

export async function connect(house) {
  const { api, base, org, owner, member } = house;
  const provider = house.keep(await startProvider());
  const client = await provider.register('client_secret_basic');
  const server = house.keep(await startGuarded(async (bearer) => {
    const said = await provider.inspect(bearer);
    return said.active && said.client_id === client.id ? said : null;
  }));
  let agent;
  let link;
  return [
    ['an admin adds a provider by its issuer', async () => {
      await owner.goto(org);
      await owner.click('nav a', 'Providers');
      await owner.click('main a', 'Add a provider');
      await owner.shoot('connect-1-choose');
      await owner.click('main a', 'Add by issuer');
      await client.comesBackTo(await owner.see('#callback', '/oauth/callback/'));
      await owner.fill('#f-issuer', provider.issuer);
      await owner.fill('#f-client_id', client.id);
      await owner.fill('#f-client_secret', client.secret);
      await owner.fill('#f-name', 'Postbox');
      await owner.shoot('connect-2-new');
      await owner.click('button', 'Add a provider');
      await owner.see('h1', 'Postbox');
      await owner.shoot('connect-3-provider');
    }],
    ['and has a server ask for accounts there', async () => {
      await api('POST', 'servers', { slug: 'letters', name: 'Letters', transport: 'http', url: server.url, enabled: true });
      await owner.click('nav a', 'Servers');
      await owner.click('main td a', 'Letters');
      await owner.click('main a', 'Credentials');
      await owner.shoot('connect-4-credentials');
      await owner.fill('#f-name', 'Authorization');
      await owner.choose('#f-source', 'oauth');
      await owner.fill('#f-which', 'postbox');
      await owner.fill('#f-template', 'Bearer {value}');
      await owner.click('button', 'Show what would change');
      await owner.shoot('connect-5-preview');
      await owner.click('button', 'Save');
      await owner.see('main table', 'Account at Postbox');
      await owner.shoot('connect-6-carried');
    }],
    ['which reads its tools with the account of the admin who asks', async () => {
      await owner.goto(`${base}/me/accounts`);
      await owner.click('main a', 'Connect Postbox');
      await owner.click('main button', 'Connect Postbox');
      await agree(owner, 'ada');
      await owner.see('main', 'ada');
      await owner.goto(org);
      await owner.click('nav a', 'Servers');
      await owner.click('main td a', 'Letters');
      await owner.click('main button', 'Refresh tools');
      await owner.click('main a', 'Go to the tools');
      await owner.shoot('connect-7-tools');
      await owner.click('main button', 'Accept');
      await owner.see('main table', 'Reviewed');
    }],
    ['a member’s agent is told where to connect an account', async () => {
      agent = await house.agent('letters', DOCUMENT);
      const { says, isError } = await agent.call('letters__whoami');
      must(says, /^\[CONNECT ACCOUNT\]/, /Postbox/);
      link = linkIn(says, /\/me\/accounts\//);
      if (!isError || server.shown.length) throw new Error('the call was made');
    }],
    ['the member opens that link, signs in there and comes back', async () => {
      await member.goto(link);
      await member.see('main', '127.0.0.1');
      await member.shoot('connect-8-connect');
      await member.click('main button', 'Connect Postbox');
      await agree(member, 'mara');
      await member.see('[role=status], .toast', 'Ask your agent to try again');
      await member.shoot('connect-9-connected');
    }],
    ['the agent repeats its call, and the server sees their token', async () => {
      const { says } = await agent.call('letters__whoami');
      must(says, /^You are mara\.$/);
      const [token, ...more] = server.shown;
      if (more.length || (await provider.inspect(token)).sub !== 'mara') throw new Error('the server was shown another token');
    }],
    ['an admin finds it at the provider', async () => {
      await owner.goto(org);
      await owner.click('nav a', 'Providers');
      await owner.click('main td a', 'Postbox');
      await owner.shoot('connect-a-provider');
      await owner.click('main a', 'Accounts');
      await owner.shoot('connect-10-accounts');
      await owner.click('main td a', 'mara');
      must(await owner.see('main table'), /It is the account of Mara/, /Everything that was asked for/);
      await owner.shoot('connect-11-account');
    }],
    ['and ends it there', async () => {
      await owner.click('main button', 'Disconnect…');
      await owner.click('dialog[open] button', 'Disconnect');
      await owner.see('[role=status], .toast', 'Disconnected, and ended at Postbox.');
      await owner.shoot('connect-12-ended');
    }],
    ['the next call says so, and the provider has ended the grant', async () => {
      const { says, isError } = await agent.call('letters__whoami');
      must(says, /^\[CONNECT ACCOUNT\]/, /Postbox/);
      if (!isError || server.shown.length !== 1) throw new Error('the call was made');
      const ended = (await provider.events()).filter(({ event }) => event === 'grant.revoked');
      if (ended.length !== 1) throw new Error(`the provider ended ${ended.length} grants`);
      await member.goto(linkIn(says, /\/c\//));
      await member.see('.trace', 'none is connected');
      await member.shoot('connect-13-call-of-the-member');
    }],
    ['a client that opens links is led there, and its call goes on', async () => {
      const led = [];
      const opener = await agent.another(async ({ url }) => {
        led.push(url);
        if (led.length > 1) return;
        await member.goto(url);
        await member.click('main button', 'Connect Postbox');
        await agree(member, null);
        await member.see('h1', 'The one called mara');
      });
      must((await opener.call('letters__whoami')).says, /^You are mara\.$/);
      if (led.join() !== link) throw new Error(`it was led to ${led}`);
    }],
  ];
}
