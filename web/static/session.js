/**
 * Who is signed in on our own pages: the issuer's token, kept for this tab.
 *
 * Signing in leaves for the issuer's `/sign-in` with `redirect_uri` and `state`, and comes back to `/signed-in` with
 * `token` and `state` behind the `#`, which browsers send to no server.
 *
 * @module
 */

const TOKEN = "mana-token";
const JOURNEY = "mana-sign-in";
const SKEW_S = 10;

/** Give the token, or null if nobody is signed in or it has ended. */
export function getToken() {
  const token = sessionStorage.getItem(TOKEN);
  if (token && endOf(token) > Date.now() / 1_000 + SKEW_S) return token;
  sessionStorage.removeItem(TOKEN);
  return null;
}

/** Tell who is signed in: the name or address in the token, or null. */
export function signedInAs() {
  const claims = claimsOf(getToken() ?? "");
  return claims ? String(claims["name"] ?? claims["email"] ?? claims["sub"]) : null;
}

/** Give the id of who is signed in, or null. */
export function userId() {
  const claims = claimsOf(getToken() ?? "");
  return claims ? String(claims["sub"]) : null;
}

/** Leave for the issuer, to come back to this page. */
export function signIn() {
  const state = crypto.randomUUID();
  const back = location.pathname + location.search;
  sessionStorage.setItem(JOURNEY, JSON.stringify({ state, back }));
  const issuer = new URL(document.querySelector('meta[name="mana-sign-in"]')?.getAttribute("content") ?? "");
  issuer.searchParams.set("redirect_uri", `${location.origin}/signed-in`);
  issuer.searchParams.set("state", state);
  location.assign(issuer);
}

/** Forget the token. The issuer's own session, if it has one, stays. */
export function signOut() {
  sessionStorage.removeItem(TOKEN);
  location.reload();
}

/**
 * Take what the issuer sent back.
 *
 * @returns {string | null} The page to return to; null if this is no answer to our own question.
 */
export function arrive() {
  const told = new URLSearchParams(location.hash.slice(1));
  const journey = JSON.parse(sessionStorage.getItem(JOURNEY) ?? "null");
  sessionStorage.removeItem(JOURNEY);
  history.replaceState(null, "", location.pathname);
  const token = told.get("token");
  if (!journey || !token || told.get("state") !== journey.state || !claimsOf(token)) return null;
  sessionStorage.setItem(TOKEN, token);
  return ownPath(journey.back);
}

/** Give a path of our own pages; anything else becomes the first page. @param {string} path */
export function ownPath(path) {
  const url = new URL(path, location.origin);
  return path.startsWith("/") && url.origin === location.origin ? url.pathname + url.search : "/settings/sync";
}

/** @param {string} token */
function endOf(token) {
  return Number(claimsOf(token)?.["exp"] ?? 0);
}

/** Read a token's claims, unverified: good for showing a name, not for deciding. @param {string} token */
function claimsOf(token) {
  try {
    const bytes = Uint8Array.from(
      atob((token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0),
    );
    return /** @type {Record<string, unknown>} */ (JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}
