/** What every page does: show who is signed in, sign in and out, and give the elements the token. @module */

import "./mana-elements.js";
import { getToken, signedInAs, signIn, signOut } from "./session.js";

const userName = signedInAs();

for (const part of document.querySelectorAll("[data-when]")) {
  part.toggleAttribute("hidden", (part.getAttribute("data-when") === "signed-in") !== (userName !== null));
}
for (const button of document.querySelectorAll('[data-action="sign-in"]')) button.addEventListener("click", signIn);
for (const button of document.querySelectorAll('[data-action="sign-out"]')) {
  button.addEventListener("click", signOut);
  button.setAttribute("title", userName ?? "");
}
if (userName !== null) {
  for (const element of document.querySelectorAll("mana-balance, mana-sync-banner, mana-sync-settings")) {
    /** @type {import("./mana-elements.js").ManaBalance} */ (element).getToken = getToken;
  }
}
