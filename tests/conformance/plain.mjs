// Beyond the suite: bytes. Sends unusual but valid messages to the endpoint `/plain` of the upstream and compares what
// comes back, byte by byte, and what the upstream says it received.
import http from 'node:http';

const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';

// The one message that a gateway may refuse: the upstream does not know its agents apart, so a list would show each the
// others' tasks. Then it must not promise the list either.
const LISTED = 'tasks are listed';

// [name, method, rest of params, only in this era]. Written as text, since the spelling is what matters.
const MESSAGES = [
  ['echo', 'tools/call', '"name":"echo" , "arguments":{"n":1.0,"big":12345678901234567890,"e":1E+2,"\\u0065sc":"\\/ \\u00e9 é","null":null},"x-unknown":[ {} ]'],
  ['odd result', 'tools/call', '"name":"odd_result","arguments":{}'],
  ['odd stream', 'tools/call', '"name":"odd_stream","arguments":{}'],
  ['first page', 'tools/list', ''],
  ['next page', 'tools/list', '"cursor":CURSOR'],
  ['discover', 'server/discover', '', MODERN],
  ['not a method', 'x-vendor/unknown', '"a":1.0'],
  ['ping', 'ping', '', LEGACY],
  ['url required', 'tools/call', '"name":"url_required","arguments":{}', LEGACY],
  ['a task begins', 'tools/call', '"name":"slow_job","arguments":{},"task":{"ttl":60000.0,"x":"y"}', LEGACY],
  ['a task is asked for', 'tasks/get', '"taskId":TASK', LEGACY],
  [LISTED, 'tasks/list', '', LEGACY],
  ['a task is fetched', 'tasks/result', '"taskId":TASK', LEGACY],
  ['a task is canceled', 'tasks/cancel', '"taskId":TASK', LEGACY],
];

function post(url, token, headers, body) {
  return new Promise((resolve, reject) => {
    const all = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers };
    if (token) all.authorization = `Bearer ${token}`;
    const request = http.request(url, { method: 'POST', headers: all, timeout: 10_000 }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({
        status: response.statusCode,
        kind: response.headers['content-type'] ?? '',
        session: response.headers['mcp-session-id'],
        body: Buffer.concat(chunks).toString(),
      }));
    });
    request.on('timeout', () => request.destroy(new Error('no answer within ten seconds')));
    request.on('error', reject);
    request.end(body);
  });
}

function metaOf(era) {
  const modern = `"io.modelcontextprotocol/protocolVersion":"${MODERN}","io.modelcontextprotocol/clientCapabilities":{},`;
  return `"_meta":{${era === MODERN ? modern : ''}"progressToken":"t\\u002d1","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","x/y":1.0}`;
}

async function open(era, url, token, answers) {
  const headers = { 'mcp-protocol-version': era };
  if (era === MODERN) return headers;
  const body = `{"jsonrpc":"2.0","id":"\\u0069","method":"initialize","params":{"protocolVersion":"${LEGACY}","capabilities":{},"clientInfo":{"name":"plain","version":"1"}}}`;
  const answer = await post(url, token, {}, body);
  if (answer.session) headers['mcp-session-id'] = answer.session;
  answers.set(`${era} initialize`, { ...answer, sent: body });
  await post(url, token, headers, '{"jsonrpc":"2.0","method":"notifications/initialized"}');
  return headers;
}

// Handles are the server's to choose: whoever stands between may seal them, so they are followed, not compared.
function found(body, name) {
  return new RegExp(`"${name}":("(?:[^"\\\\]|\\\\.)*")`).exec(body)?.[1];
}

// What the server says of the message and its headers.
function received(body) {
  const [message, headers] = JSON.parse(body).result.content.map((part) => part.text);
  return { message, headers: headers.split('\n') };
}

function faultsOf(sent, answer, hides) {
  const { message, headers } = received(answer.body);
  const faults = message === sent ? [] : [`the upstream received\n    ${message}\n  instead of\n    ${sent}`];
  for (const header of hides ? headers : []) {
    if (/^(authorization: Bearer prg_|cookie:|x-secret:|x-forwarded-|forwarded:)/i.test(header)) {
      faults.push(`the upstream received the caller's ${header.split(':')[0]}`);
    }
  }
  return faults;
}

// Sends everything and gives what came back, by "era name".
export async function exchange(url, token) {
  const answers = new Map();
  for (const era of [LEGACY, MODERN]) {
    const session = await open(era, url, token, answers);
    const handles = { CURSOR: '"none"', TASK: '"none"' };
    for (const [name, method, rest, only] of MESSAGES) {
      if (only && only !== era) continue;
      const params = rest.replace(/CURSOR|TASK/, (handle) => handles[handle]);
      const comma = params && ',';
      const body = `{ "jsonrpc":"2.0",\n\t"id":"\\u0078 ${name}","method":"${method}","params":{${params}${comma}${metaOf(era)}}}`;
      const headers = { ...session, 'x-secret': 'not for the upstream', cookie: 'a=b' };
      const tool = /"name":"(\w+)"/.exec(params)?.[1];
      if (era === MODERN) Object.assign(headers, { 'mcp-method': method, ...(tool && { 'mcp-name': tool }) });
      const answer = await post(url, token, headers, body);
      handles.CURSOR = found(answer.body, 'nextCursor') ?? handles.CURSOR;
      handles.TASK = found(answer.body, 'taskId') ?? handles.TASK;
      answers.set(`${era} ${name}`, { ...answer, sent: body });
    }
  }
  return answers;
}

function comparable({ status, kind, body }) {
  const text = body.replace(/"(nextCursor|taskId)":"(?:[^"\\]|\\.)*"/g, '"$1":"…"');
  return `${status} ${kind.split(';')[0]}\n${text}`;
}

// A task keeps its handle: a client compares the ids of what it asked for and what it got.
function unsteady(answers) {
  const first = {};
  return [...answers].flatMap(([name, answer]) => {
    const era = name.split(' ')[0];
    const task = found(answer.body, 'taskId');
    if (task) first[era] ??= task;
    return task === undefined || task === first[era] ? [] : [{ name, fault: 'the task came back under another id' }];
  });
}

// Whether the list of tasks is refused, and by one who does not promise it.
function isHonestlyRefused(through) {
  const refused = /"code":-32601\b/.test(through.get(`${LEGACY} ${LISTED}`).body);
  return refused && JSON.parse(through.get(`${LEGACY} initialize`).body).result.capabilities.tasks.list === undefined;
}

// What was lost on the way through, by the message that did not come or go unchanged. Where the one between `hides`
// what is not meant for the upstream, headers of that kind count as well.
export function losses(direct, through, hides) {
  const lost = [];
  const refuses = isHonestlyRefused(through);
  for (const [name, answer] of through) {
    if (refuses && name === `${LEGACY} ${LISTED}`) continue;
    const promised = comparable(direct.get(name));
    const before = refuses && name === `${LEGACY} initialize` ? promised.replace('"list":{},', '') : promised;
    const after = comparable(answer);
    const faults = before === after ? [] : [`directly\n    ${before}\n  through\n    ${after}`];
    if (name.endsWith(' echo')) {
      if (answer.status !== 200) faults.push('no echo came back');
      else faults.splice(0, faults.length, ...faultsOf(answer.sent, answer, hides));
    }
    lost.push(...faults.map((fault) => ({ name, fault })));
  }
  return [...lost, ...unsteady(through)];
}
