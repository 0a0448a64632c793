// Sign in by OpenID Connect: authorization code with PKCE (RFC 7636, RFC 9700). Tokens live in this module's
// memory and nowhere else; the session storage holds the verifier and the state while the browser is away
// at the sign-in page, and where to come back to.
const AWAY = "sendmill.away";
const EARLY_SECONDS = 45;

let config = null;
let tokens = null;
let renewing = null;

export const signedIn = () => tokens !== null;
export const userName = () => tokens?.name || "";
export const home = () => new URL(".", document.baseURI).href;

export async function boot() {
  const answer = await fetch(new URL("app/config.json", document.baseURI), { cache: "no-store" });
  if (!answer.ok) throw new Error(`The console's settings could not be read (${answer.status}).`);
  config = await answer.json();
  await comeBack();
  return config;
}

export async function signIn() {
  const verifier = random(48);
  const away = { verifier, state: random(24), hash: location.hash };
  sessionStorage.setItem(AWAY, JSON.stringify(away));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.assign(
    withQuery(config.oidc.authorization_endpoint, {
      response_type: "code",
      client_id: config.oidc.client_id,
      redirect_uri: home(),
      scope: config.oidc.scope,
      state: away.state,
      code_challenge: base64url(new Uint8Array(digest)),
      code_challenge_method: "S256",
    }),
  );
}

export function signOut() {
  tokens = null;
  sessionStorage.clear();
  const { logout_endpoint, client_id } = config.oidc;
  if (!logout_endpoint) return location.assign(home());
  location.assign(withQuery(logout_endpoint, { client_id, logout_uri: home() }));
}

// A token that is still good for a while; renewed with the refresh token shortly before it ends.
export async function accessToken({ fresh = false } = {}) {
  if (!fresh && tokens && Date.now() / 1000 < tokens.until - EARLY_SECONDS) return tokens.access;
  renewing ??= renew().finally(() => (renewing = null));
  return renewing;
}

async function renew() {
  try {
    if (!tokens?.refresh) throw new Error("there is no refresh token");
    await exchange({ grant_type: "refresh_token", refresh_token: tokens.refresh });
    return tokens.access;
  } catch (error) {
    tokens = null;
    dispatchEvent(new Event("signedout"));
    throw new SignedOut(`Your session has ended (${error.message}).`);
  }
}

export class SignedOut extends Error {}

async function comeBack() {
  const query = new URLSearchParams(location.search);
  const away = JSON.parse(sessionStorage.getItem(AWAY) || "null");
  if (!query.has("code") && !query.has("error")) return;
  sessionStorage.removeItem(AWAY);
  history.replaceState(null, "", home() + (away?.hash || ""));
  if (query.has("error")) {
    throw new Error(`Sign-in was refused: ${query.get("error_description") || query.get("error")}`);
  }
  if (!away || away.state !== query.get("state")) {
    throw new Error("Sign-in was not begun in this tab. Please sign in again.");
  }
  await exchange({
    grant_type: "authorization_code",
    code: query.get("code"),
    redirect_uri: home(),
    code_verifier: away.verifier,
  });
}

async function exchange(form) {
  const answer = await fetch(config.oidc.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({ ...form, client_id: config.oidc.client_id }),
    credentials: "omit",
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error_description || found.error || `status ${answer.status}`);
  tokens = {
    access: found.access_token,
    refresh: found.refresh_token || tokens?.refresh,
    name: nameIn(found.id_token) || tokens?.name || "",
    until: Date.now() / 1000 + (found.expires_in || 300),
  };
}

// Only to greet by: whether a token is good is the service's to judge.
function nameIn(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return claims.email || claims.name || claims.preferred_username || claims["cognito:username"] || "";
  } catch {
    return "";
  }
}

function withQuery(url, query) {
  const found = new URL(url);
  for (const [name, value] of Object.entries(query)) found.searchParams.set(name, value);
  return found.href;
}

const random = (bytes) => base64url(crypto.getRandomValues(new Uint8Array(bytes)));
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
