// Three stories from end to end, as the people in them live them: an agent with the official TypeScript client, an owner and a
// member at a browser with script, and a real Portreeve between. walks [STORY…]; WALKS_SHOTS=FOLDER keeps pictures of pages.
import { House } from './house.mjs';
import { within } from './processes.mjs';
import { report } from './prove.mjs';
import { ask } from './walk_ask.mjs';
import { connect } from './walk_connect.mjs';
import { deny } from './walk_deny.mjs';
import { join } from './walk_join.mjs';

const STORIES = { connect, deny, ask };

// A story ends at the first step that fails, since the next begins where it leads.
async function walk(name, steps) {
  for (const [what, step] of steps) {
    const fault = await step().then(() => null, (error) => error);
    console.log(`walk     ${name.padEnd(8)} ${what.padEnd(62)} ${fault ? 'FAIL' : 'pass'}`);
    if (fault) return [`${name}: ${what}: ${fault.message}`];
  }
  return [];
}

async function main(wanted) {
  within(180);
  const house = await House.open();
  try {
    const faults = await walk('join', join(house));
    if (faults.length) return faults;
    for (const [name, story] of Object.entries(STORIES)) {
      if (!wanted.length || wanted.includes(name)) faults.push(...(await walk(name, await story(house))));
    }
    return [...faults, ...(await house.owner.faults(house.base)), ...(await house.member.faults(house.base))];
  } finally {
    await house.close();
  }
}

report(await main(process.argv.slice(2)));
