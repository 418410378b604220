// How the member comes to be there: invited, with a letter that waits in the operator's outbox, for there is no mail server.
import { MEMBER, OWNER, linkIn } from './house.mjs';

export function join({ api, base, owner, member }) {
  let link;
  return [
    ['the owner signs in and invites a member', async () => {
      await owner.signIn(base, OWNER.email, OWNER.password);
      await api('POST', 'invitations', { emails: [MEMBER.email], role: 'member' });
    }],
    ['the letter lies in the outbox', async () => {
      await owner.goto(`${base}/ops/outbox`);
      await owner.click('main a', MEMBER.email);
      await owner.click('main button', 'Open the letter');
      link = linkIn(await owner.see('pre.letter'), /\/invite\//);
      await owner.shoot('join-1-letter');
    }],
    ['the member follows its link and joins', async () => {
      await member.goto(link);
      await member.fill('#f-name', MEMBER.name);
      await member.fill('#f-password', MEMBER.password);
      await member.shoot('join-2-invitation');
      await member.click('button', 'Create account and join');
      await member.at(/\/me\//);
    }],
  ];
}
