/**
 * Who is signed in on our own pages: the issuer's token, kept for this tab.
 *
 * To sign in, the browser leaves for the issuer's `/sign-in` with `redirect_uri` and `state`. It comes back to
 * `/signed-in` with `token` and `state` behind the `#`, which browsers send to no server.
 *
 * @module
 */

const TOKEN_KEY = "mana-token";
const SIGN_IN_KEY = "mana-sign-in";
const CLOCK_SKEW_S = 10;

/** Give the token; null if nobody is signed in, or the token has expired. */
export function getToken() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  if (token && expiryOf(token) > Date.now() / 1_000 + CLOCK_SKEW_S) return token;
  sessionStorage.removeItem(TOKEN_KEY);
  return null;
}

/** Give the name of the signed-in user, else the address or id in the token; null if nobody is signed in. */
export function signedInAs() {
  const claims = claimsOf(getToken() ?? "");
  return claims ? String(claims["name"] ?? claims["email"] ?? claims["sub"]) : null;
}

/** Give the id of the signed-in user, or null. */
export function userId() {
  const claims = claimsOf(getToken() ?? "");
  return claims ? String(claims["sub"]) : null;
}

/** Leave for the issuer, to come back to this page. */
export function signIn() {
  const state = crypto.randomUUID();
  const back = location.pathname + location.search;
  sessionStorage.setItem(SIGN_IN_KEY, JSON.stringify({ state, back }));
  const signInUrl = new URL(document.querySelector('meta[name="mana-sign-in"]')?.getAttribute("content") ?? "");
  signInUrl.searchParams.set("redirect_uri", `${location.origin}/signed-in`);
  signInUrl.searchParams.set("state", state);
  location.assign(signInUrl);
}

/** Forget the token. If the issuer has a session of its own, that session stays. */
export function signOut() {
  sessionStorage.removeItem(TOKEN_KEY);
  location.reload();
}

/**
 * Take the token that the issuer sent back.
 *
 * @returns {string | null} The page to return to; null if this tab did not begin the sign-in.
 */
export function finishSignIn() {
  const params = new URLSearchParams(location.hash.slice(1));
  const pendingSignIn = JSON.parse(sessionStorage.getItem(SIGN_IN_KEY) ?? "null");
  sessionStorage.removeItem(SIGN_IN_KEY);
  history.replaceState(null, "", location.pathname);
  const token = params.get("token");
  if (!pendingSignIn || !token || params.get("state") !== pendingSignIn.state || !claimsOf(token)) return null;
  sessionStorage.setItem(TOKEN_KEY, token);
  return ownPath(pendingSignIn.back);
}

/** Give a path if it is one of our own pages, else the path of the settings page. @param {string} path */
export function ownPath(path) {
  const url = new URL(path, location.origin);
  return path.startsWith("/") && url.origin === location.origin ? url.pathname + url.search : "/settings/sync";
}

/** Give the time when a token expires, in seconds. @param {string} token */
function expiryOf(token) {
  return Number(claimsOf(token)?.["exp"] ?? 0);
}

/** Read the claims of a token without verifying it. They may be shown, but decide nothing. @param {string} token */
function claimsOf(token) {
  try {
    const base64 = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return /** @type {Record<string, unknown>} */ (JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}
