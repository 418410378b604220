// Adds a bearer token and forwards all else untouched: the suite cannot send headers of its own.
import http from 'node:http';

// The one thing it must translate is its own address, where the client names it as the server's.
function headersFor(target, own, raw, token) {
  const headers = [];
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i], raw[i + 1]];
    const key = name.toLowerCase();
    const names = key === 'host' || key === 'origin';
    headers.push(name, names ? value.replace(own, target.host) : value);
  }
  return token ? [...headers, 'Authorization', `Bearer ${token}`] : headers;
}

async function rewritten(answer, response, rewrite) {
  const chunks = await answer.toArray();
  response.writeHead(answer.statusCode, { 'content-type': answer.headers['content-type'] });
  response.end(rewrite(Buffer.concat(chunks).toString()));
}

// Listens on 127.0.0.1 and gives the URL that stands for the target. `rewrite`, if given, changes JSON answers.
export async function startShim(url, { token, rewrite }) {
  const target = new URL(url);
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const own = `127.0.0.1:${server.address().port}`;
    const onward = http.request({
      agent,
      host: target.hostname,
      port: target.port,
      method: request.method,
      path: request.url,
      headers: headersFor(target, own, request.rawHeaders, token),
      setHost: false,
    });
    onward.on('response', (answer) => {
      response.sendDate = false;
      if (rewrite && /json/.test(answer.headers['content-type'])) return rewritten(answer, response, rewrite);
      response.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
      response.flushHeaders();
      answer.on('data', (chunk) => response.write(chunk));
      answer.on('end', () => response.end());
      answer.on('error', () => response.destroy());
      return undefined;
    });
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    response.on('close', () => response.writableFinished || onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
    agent.destroy();
  };
  return { url: `http://127.0.0.1:${server.address().port}${target.pathname}`, stop };
}
