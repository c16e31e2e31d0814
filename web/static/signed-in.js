/** The page that the issuer sends people back to. @module */

import { arrive } from "./session.js";

const back = arrive();
const outcome = /** @type {HTMLElement} */ (document.getElementById("outcome"));
if (back) location.replace(back);
else outcome.textContent = outcome.dataset["refused"] ?? "";
