/** The page to which the issuer sends people back. @module */

import { finishSignIn } from "./session.js";

const nextPath = finishSignIn();
const outcome = /** @type {HTMLElement} */ (document.getElementById("outcome"));
if (nextPath) location.replace(nextPath);
else outcome.textContent = outcome.dataset["refused"] ?? "";
