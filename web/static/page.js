/** What every page does: show who is signed in, and let them sign in and out. @module */

import { signedInAs, signIn, signOut } from "./session.js";

const who = signedInAs();

for (const part of document.querySelectorAll("[data-when]")) {
  part.toggleAttribute("hidden", (part.getAttribute("data-when") === "signed-in") !== (who !== null));
}
for (const button of document.querySelectorAll('[data-action="sign-in"]')) button.addEventListener("click", signIn);
for (const button of document.querySelectorAll('[data-action="sign-out"]')) {
  button.addEventListener("click", signOut);
  button.setAttribute("title", who ?? "");
}
