// What the proofs ask of the OpenID provider themselves: to know a client, to judge a token, to tell what happened.
import { createPublicKey, verify } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from './portreeve.mjs';
import { serve } from './processes.mjs';
import { RESULTS } from './upstream.mjs';

async function asked(address, options) {
  const answer = await fetch(address, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}: ${text}`);
  return JSON.parse(text);
}

const sent = (method, token, value) => ({
  method,
  headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
  body: JSON.stringify(value),
});

// A client of the provider. Where browsers come back to is known only once Portreeve knows the client, and is told then.
class Client {
  constructor({ registration_client_uri: at, registration_access_token: token, client_id_issued_at, ...registered }) {
    Object.assign(this, { at, token, registered });
    this.id = registered.client_id;
    this.secret = registered.client_secret;
  }

  async comesBackTo(callback) {
    const { client_secret_expires_at, ...registered } = this.registered;
    await asked(this.at, sent('PUT', this.token, { ...registered, redirect_uris: [callback] }));
  }
}

export async function startProvider() {
  const port = await freePort();
  const output = join(RESULTS, 'op.log');
  const { stop } = await serve(process.execPath, [join(import.meta.dirname, 'op.mjs'), `${port}`], /ready: /, { output });
  const issuer = `http://127.0.0.1:${port}`;
  const register = async (method) =>
    new Client(await asked(`${issuer}/reg`, sent('POST', null, {
      redirect_uris: ['https://portreeve.test/nowhere-yet'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: method,
    })));
  // One that only asks about tokens.
  const asker = await register('client_secret_basic');
  const basic = Buffer.from([asker.id, asker.secret].map(encodeURIComponent).join(':')).toString('base64');
  const inspect = (token) =>
    asked(`${issuer}/token/introspection`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ token }),
    });
  const events = () => asked(`${issuer}/events`);
  return { issuer, register, inspect, events, stop };
}

// The claims of a signed token that its issuer gave for this audience and that lives; nothing of any other.
export async function claimsFor(token, issuer, audience) {
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  const [head, claims] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  const { keys } = await asked(`${issuer}/jwks`);
  const jwk = keys.find(({ kid }) => kid === head.kid);
  if (head.alg !== 'RS256' || !jwk) return null;
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const isSigned = verify('sha256', Buffer.from(`${parts[0]}.${parts[1]}`), key, Buffer.from(parts[2], 'base64url'));
  const isTheirs = claims.iss === issuer && claims.aud === audience && claims.exp * 1000 > Date.now();
  return isSigned && isTheirs ? claims : null;
}
