// An OpenID provider that is not gimme's own: oidc-provider, with a login page
// and a consent page. The first line of standard input is its configuration:
//
//   {issuer?, host, port, cert?, key?, jwk, people: {name: {password, claims}}}
//
// Without issuer, it is made from host and the port that was free. It prints
// one line with the issuer when it listens, and ends when standard input does.
import http from 'node:http';
import https from 'node:https';
import readline from 'node:readline';
import { Provider } from 'oidc-provider';

const lines = readline.createInterface({ input: process.stdin });
const settings = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
process.stdin.on('end', () => process.exit(0)).resume();

const secure = Boolean(settings.cert);
const server = secure ? https.createServer({ cert: settings.cert, key: settings.key }) : http.createServer();
await new Promise((resolve) => server.listen(settings.port ?? 0, settings.host, resolve));
const issuer = settings.issuer ?? `http${secure ? 's' : ''}://${settings.host}:${server.address().port}`;

const provider = new Provider(issuer, {
  jwks: { keys: [settings.jwk] },
  cookies: { keys: ['only for tests'] },
  clients: [{
    client_id: 'gimme',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
  conformIdTokenClaims: false, // groups stand in the ID token itself
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
  ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Session: 3600, Grant: 3600 },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => settings.people[id] && { accountId: id, claims: () => ({ sub: id, ...settings.people[id].claims }) },
});

const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;
const loginPage = (uid, fault = '') => page('Sign in', `<p id="fault">${fault}</p>
<form method="post" action="/interaction/${uid}">
<label>Name <input name="login" autofocus></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form>`);
const consentPage = (uid, scopes) => page('Allow access', `<p>gimme wants to know: ${scopes}</p>
<form method="post" action="/interaction/${uid}"><input type="hidden" name="consent" value="yes"><button>Allow</button></form>`);

function send(response, status, html) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(html);
}

async function form(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
}

async function grant({ prompt: { details }, params, session, grantId }) {
  const given = (grantId && await provider.Grant.find(grantId))
    || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (details.missingOIDCScope) given.addOIDCScope(details.missingOIDCScope.join(' '));
  if (details.missingOIDCClaims) given.addOIDCClaims(details.missingOIDCClaims);
  return given.save();
}

async function interact(request, response) {
  const interaction = await provider.interactionDetails(request, response);
  const { uid, prompt, params } = interaction;
  if (request.method === 'GET') {
    return send(response, 200, prompt.name === 'login' ? loginPage(uid) : consentPage(uid, params.scope));
  }
  const fields = await form(request);
  if (prompt.name === 'login') {
    const person = settings.people[fields.get('login')];
    if (!person || person.password !== fields.get('password')) {
      return send(response, 200, loginPage(uid, 'Wrong name or password.'));
    }
    return provider.interactionFinished(request, response, { login: { accountId: fields.get('login'), amr: ['pwd'] } });
  }
  const result = { consent: { grantId: await grant(interaction) } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const rest = provider.callback();
server.on('request', (request, response) => {
  if (request.url === '/favicon.ico') return response.writeHead(204).end();
  if (!request.url.startsWith('/interaction/')) return rest(request, response);
  return interact(request, response).catch((fault) => send(response, 500, page('Fault', String(fault.stack))));
});
provider.on('server_error', (_, fault) => console.error(fault));
console.log(issuer);
