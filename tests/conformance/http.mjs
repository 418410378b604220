// Requests to one Portreeve under the name that it is known by, wherever it listens.
import http from 'node:http';

// Gives a function that asks for a path and brings back status, headers and text. Nothing is followed.
export function asker(port, origin) {
  const { host } = new URL(origin);
  return (method, path, { headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, method, path, headers: { host, ...headers }, timeout: 60_000 };
      const request = http.request(options, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      });
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer within a minute`)));
      request.on('error', reject);
      request.end(body);
    });
}

// Speaks to the API as the owner. A refusal is an error that says what was refused.
export function apiOf(ask, org, key) {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const { status, text } = await ask(method, `/api/v1/orgs/${org}/${path}`, {
      headers,
      body: body && JSON.stringify(body),
    });
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
}
