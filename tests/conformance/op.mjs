// A certified OpenID provider of somebody else (node-oidc-provider), strict in what it may be strict about: clients prove
// themselves and their codes, refresh tokens are good once, and all of an agreement ends where one comes twice. Tokens live for
// moments. Started with its port; `/events` tells what happened, oldest first.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const LIVES_FOR = 4;
// What is worth telling, by the provider's own names.
const TOLD = ['refresh_token.saved', 'refresh_token.consumed'];
const FAULTS = ['authorization.error', 'grant.error', 'introspection.error', 'registration_create.error', 'revocation.error',
  'userinfo.error', 'server_error'];

const provider = new Provider(issuer, {
  scopes: ['openid', 'offline_access', 'profile', 'email', 'read'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `The one called ${id}`, email: `${id}@example.test` }),
  }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: LIVES_FOR, AuthorizationCode: 60, IdToken: 60, RefreshToken: 600, Grant: 600, Session: 600, Interaction: 60 },
  cookies: { keys: ['a key of a proof'] },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    // Names and secrets that do not stand in a header as they are (RFC 6749, section 2.3.1).
    registration: {
      enabled: true,
      idFactory: () => `a:client/${randomUUID()}`,
      secretFactory: () => `${randomUUID()}+/=%41: ~&`,
    },
    registrationManagement: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        audience: resource,
        scope: 'read',
        accessTokenTTL: LIVES_FOR,
        accessTokenFormat: 'jwt',
      }),
    },
  },
});

const events = [];
const tell = (event, words) => events.push({ event, ...words });
for (const event of TOLD) provider.on(event, ({ grantId }) => tell(event, { grant: grantId }));
provider.on('grant.revoked', (_, grant) => tell('grant.revoked', { grant }));
for (const event of FAULTS) {
  provider.on(event, (_, { error, error_description: words, error_detail: detail }) => tell(event, { error, words, detail }));
}

const answer = provider.callback();
const server = http.createServer((request, response) => {
  if (request.url !== '/events') return answer(request, response);
  return response.end(JSON.stringify(events));
});
server.listen(port, '127.0.0.1', () => console.log(`ready: ${issuer}`));
