// A call is denied, its agent is told why and where to read on, and an admin who looks there changes the rule.
import { startDesk } from './desk.mjs';
import { linkIn, must } from './house.mjs';

const CALL = { item: 'chairs', amount: 250 };
const RULE = { name: 'Big orders', on_deny: 'Orders above 100 are for a person to make.' };
const DOCUMENT = {
  version: '1',
  default: 'deny',
  tools: { order: { deny_if: [{ ...RULE, conditions: [{ path: 'args.amount', op: 'gt', value: 100 }] }] } },
};

export async function deny(house) {
  const { org, owner, member } = house;
  const desk = house.keep(await startDesk());
  let agent;
  let link;
  let trial;
  return [
    ['an agent is denied, with the rule, its reason and a link', async () => {
      await house.addServer('desk', desk.url);
      agent = await house.agent('desk', DOCUMENT);
      const { says, isError } = await agent.call('desk__order', CALL);
      must(says, /^\[PORTREEVE DENIED\]/, /desk-rules/, /rule Big orders/, /Orders above 100 are for a person to make\./);
      must(says, /Other arguments may pass\./);
      link = linkIn(says, /\/c\/req_/);
      if (!isError || desk.done.length) throw new Error('the call was made');
    }],
    ['its person reads why, and may ask for access', async () => {
      await member.goto(link);
      await member.see('article h2', 'Denied');
      await member.see('.trace', 'Big orders');
      await member.see('a.btn', 'Ask for access');
      await member.shoot('deny-1-call-of-the-member');
    }],
    ['an admin finds the call in the audit log', async () => {
      await owner.goto(org);
      await owner.click('nav a', 'Audit log');
      await owner.click('main a', 'Calls');
      await owner.shoot('deny-2-log');
      await owner.click('td a', 'Open the event');
      await owner.shoot('deny-3-event-beside');
      await owner.see('aside .trace', 'Big orders');
      await owner.click('#ev-h a');
      await owner.shoot('deny-4-event');
      await owner.click('main a', 'Try a change with this call');
    }],
    ['the simulator knows the call and denies it', async () => {
      await owner.at(/\/simulate/);
      trial = await owner.url();
      await owner.shoot('deny-5-simulator');
      await owner.fill('#f-arguments', JSON.stringify(CALL));
      await owner.click('main button', 'Try it');
      await owner.see('article h2', 'In force, version 1: Deny');
      await owner.see('article', 'found: 250');
      await owner.shoot('deny-6-denied');
    }],
    ['the exception is changed in the editor', async () => {
      await owner.click('article a', 'desk-rules');
      await owner.shoot('deny-7-rules');
      await owner.click('a.chip', 'above 100');
      await owner.fill('textarea[name="operand-0"]', '500');
      await owner.see('#saved', '500');
      await owner.shoot('deny-8-exception');
      await owner.click('button', 'Save');
      await owner.see('#editor', 'above 500');
      await owner.see('.pill', 'Draft');
      await owner.shoot('deny-9-draft');
    }],
    ['the draft alone still lets no agent pass', async () => {
      must((await agent.call('desk__order', CALL)).says, /rule Big orders/);
    }],
    ['the simulator lets the same call pass under the draft alone', async () => {
      await owner.goto(trial);
      await owner.fill('#f-arguments', JSON.stringify(CALL));
      await owner.click('main button', 'Try it');
      await owner.see('article h2', 'In force, version 1: Deny');
      await owner.see('article h2', 'With the draft: Allow');
      await owner.shoot('deny-10-both');
    }],
    ['it is reviewed and published', async () => {
      await owner.click('main a', 'Review and publish');
      await owner.see('.diffs', '500');
      await owner.fill('#f-note', 'Chairs come by the dozen.');
      await owner.shoot('deny-11-publish');
      await owner.click('main button', 'Publish v2');
      await owner.see('.pill', 'Version 2');
      await owner.shoot('deny-12-published');
    }],
    ['the agent repeats its call, and it is carried out once', async () => {
      const { says, isError } = await agent.call('desk__order', CALL);
      must(says, /^Done: order chairs for 250\.$/);
      if (isError || desk.done.length !== 1) throw new Error(`${desk.done.length} calls reached the server`);
    }],
    ['what is still too much is still denied', async () => {
      must((await agent.call('desk__order', { ...CALL, amount: 501 })).says, /^\[PORTREEVE DENIED\]/);
    }],
  ];
}
