// A call waits for somebody to agree. Its agent opens the page for its person, who cannot agree themselves; an owner does, in
// the inbox, and the same call goes on. Agreed is what was asked, once.
import { setTimeout as pause } from 'node:timers/promises';
import { startDesk } from './desk.mjs';
import { must } from './house.mjs';

const CALL = { item: 'chairs', amount: 250 };
const DOCUMENT = {
  version: '1',
  default: 'deny',
  tools: {
    give_back: { require_approval_if: [{ name: 'Money out', conditions: [], approvers: 'role:approver', within: '10m' }] },
  },
};

export async function ask(house) {
  const { org, owner, member } = house;
  const desk = house.keep(await startDesk());
  const led = [];
  let agent;
  let call;
  // Begins a call, and comes back as soon as its agent is led to a page; one that ends without that is a fault.
  const begin = async () => {
    const before = led.length;
    call = agent.call('cashier__give_back', CALL);
    let hasEnded = false;
    const ended = call.then(({ says }) => says, ({ message }) => message).finally(() => (hasEnded = true));
    while (led.length === before) {
      if (hasEnded) throw new Error(`nobody was asked: ${await ended}`);
      await pause(25);
    }
    const { mode, url, message } = led.at(-1);
    must(`${mode} ${url}`, /^url http:\/\/localhost:\d+\/\S+$/);
    return { url, message };
  };
  const decide = async (button) => {
    await owner.goto(org);
    await owner.click('nav a', 'Approvals');
    await owner.shoot(`ask-2-inbox-${button.split(' ')[0].toLowerCase()}`);
    await owner.click('main a', 'cashier/give_back');
  };
  return [
    ['a call leads its agent to a page, and waits', async () => {
      await house.addServer('cashier', desk.url);
      agent = await house.agent('cashier', DOCUMENT, (params) => led.push(params));
      const { message } = await begin();
      must(message, /give_back/);
    }],
    ['its person sees there for whom it waits, and decides nothing', async () => {
      await member.goto(led[0].url);
      await member.see('main', 'Somebody else decides');
      await member.shoot('ask-1-page-of-the-member');
      if (await member.has('[name=decision]')) throw new Error('they may decide');
    }],
    ['an owner finds it in the inbox and agrees once', async () => {
      await decide('Approve');
      await owner.see('main', '"amount": 250');
      if (desk.done.length) throw new Error('the call was made before anybody agreed');
      await owner.shoot('ask-3-decide');
      await owner.click('button', 'Approve once');
      await owner.see('main', 'Nothing waits');
      await owner.shoot('ask-4-decided');
    }],
    ['the same call goes on, and is carried out once', async () => {
      const { says, isError } = await call;
      must(says, /^Done: give_back chairs for 250\.$/);
      if (isError || desk.done.length !== 1) throw new Error(`${desk.done.length} calls reached the server`);
    }],
    ['repeated, it is asked about again', async () => {
      const before = led[0].url;
      const { url } = await begin();
      if (url === before) throw new Error('the agent was led to what was decided before');
    }],
    ['an owner denies it, with a reason', async () => {
      await decide('Deny');
      await owner.fill('#f-reason', 'Once was enough.');
      await owner.click('button', 'Deny');
      await owner.see('main', 'Nothing waits');
    }],
    ['the agent reads the reason, and nothing was carried out', async () => {
      const { says, isError } = await call;
      must(says, /^\[PORTREEVE DENIED\]/, /Once was enough\./);
      if (!isError || desk.done.length !== 1) throw new Error(`${desk.done.length} calls reached the server`);
    }],
    ['its person finds both, as they were decided', async () => {
      await member.goto(`${org}/approvals?state=all`);
      must(await member.see('main table', 'give_back'), /Denied\s+by Owner[^]*Approved\s+by Owner/);
      await member.shoot('ask-5-both');
    }],
  ];
}
