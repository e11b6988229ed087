// An OpenID provider that is not gimme's own: oidc-provider, with a login page
// and a consent page. The first line of standard input is its configuration:
//
//   {issuer?, host, port, cert?, key?, jwk, people: {name: {password, claims}}, quirk?}
//
// Without issuer, it is made from host and the port that was free. It prints
// one line with the issuer when it listens, then one line of JSON for each
// request that means something, and ends when standard input does.
//
// A quirk makes it behave as some other provider does:
//
//   redirectURIs  what is registered (default: any port of 127.0.0.1)
//   clientSecret  is required, in the body of a request for tokens
//   groupsClaim   the name of the claim that lists groups
//   device        the device flow is offered
//   noRefresh     no refresh tokens
//   noPKCE        PKCE is not in the metadata; what is sent is still checked
//   noRevocation, noLogout  these endpoints are not there
//   iss           the parameter of a redirect: "none", or another than the issuer
//   idTokenTTL    seconds
//   metadata      members to change; null takes one away
//   metadataSize  bytes to add to the metadata
//   metadataMoved an address to which requests for the metadata are redirected
//   logoutURI     where logout tokens are posted when a session ends
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

const quirk = settings.quirk ?? {};
const groupsClaim = quirk.groupsClaim ?? 'groups';

const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;
const codePage = (title, button) => (ctx, form) => {
  const submit = `<button>${button}</button></form>`;
  ctx.body = page(title, form.replace('</form>', submit));
};

const provider = new Provider(issuer, {
  fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }), // its own dispatcher refuses loopback
  jwks: { keys: [settings.jwk] },
  cookies: { keys: ['only for tests'] },
  clients: [{
    client_id: 'gimme',
    application_type: quirk.redirectURIs ? 'web' : 'native', // of a native one, no port counts
    token_endpoint_auth_method: quirk.clientSecret ? 'client_secret_post' : 'none',
    client_secret: quirk.clientSecret,
    redirect_uris: quirk.redirectURIs ?? ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code', ...(quirk.noRefresh ? [] : ['refresh_token']),
      ...(quirk.device ? ['urn:ietf:params:oauth:grant-type:device_code'] : [])],
    response_types: ['code'],
    ...(quirk.logoutURI && { backchannel_logout_uri: quirk.logoutURI, backchannel_logout_session_required: true }),
  }],
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: [groupsClaim] },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
  conformIdTokenClaims: false, // groups stand in the ID token itself
  rotateRefreshToken: true, // and a token that is used twice ends the grant
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: !quirk.noLogout },
    backchannelLogout: { enabled: Boolean(quirk.logoutURI) },
    revocation: { enabled: !quirk.noRevocation },
    deviceFlow: {
      enabled: Boolean(quirk.device),
      userCodeInputSource: codePage('Enter the code', 'Continue'),
      userCodeConfirmSource: (ctx, form, client, info, code) => codePage(`Is the code ${code}?`, 'Confirm')(ctx, form),
      successSource: (ctx) => { ctx.body = page('Done', 'You may go back.'); },
    },
  },
  ttl: { AccessToken: 3600, AuthorizationCode: 60, DeviceCode: 300, IdToken: quirk.idTokenTTL ?? 3600, Interaction: 600, RefreshToken: 86400, Session: 3600, Grant: 86400 },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => settings.people[id] && { accountId: id, claims: () => claimsOf(id) },
});

function claimsOf(id) {
  const { groups, ...rest } = settings.people[id].claims;
  return { sub: id, ...rest, [groupsClaim]: groups };
}

// What a test is told, and what a quirk changes in an answer.
provider.use(async (ctx, next) => {
  if (ctx.path === '/.well-known/openid-configuration' && quirk.metadataMoved) return ctx.redirect(quirk.metadataMoved);
  await next();
  const { route, params } = ctx.oidc ?? {};
  if (route === 'discovery') bendMetadata(ctx.body);
  if (route === 'device_authorization' && ctx.body?.device_code) ctx.body.interval = 1;
  if (route === 'resume' && quirk.iss) bendRedirect(ctx);
  const body = typeof ctx.body === 'object' && !ctx.body?.pipe ? ctx.body : undefined;
  if (route === 'authorization' || route === 'resume' || ctx.method === 'POST') {
    console.log(JSON.stringify({ route, status: ctx.status, params, body, location: ctx.response.get('location') }));
  }
});

function bendMetadata(metadata) {
  if (quirk.noPKCE) delete metadata.code_challenge_methods_supported;
  if (quirk.iss === 'none') delete metadata.authorization_response_iss_parameter_supported;
  for (const [name, value] of Object.entries(quirk.metadata ?? {})) {
    if (value === null) delete metadata[name]; else metadata[name] = value;
  }
  if (quirk.metadataSize) metadata.padding = 'x'.repeat(quirk.metadataSize);
}

function bendRedirect(ctx) {
  const target = URL.parse(ctx.response.get('location'));
  if (!target?.searchParams.has('iss')) return;
  if (quirk.iss === 'none') target.searchParams.delete('iss'); else target.searchParams.set('iss', quirk.iss);
  ctx.redirect(target.href);
}

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
