// The page of a room that this browser does not host. A presenter's link, or one that hands the controls over, has the
// credential behind the #: it is taken out of the address bar at once, and exchanged for a cookie that no script can read.

import { reason } from "./pass.js";

const token = location.hash.slice(1).replace(/^token=/, "");
if (token) {
  history.replaceState(null, "", location.pathname);
  const { code = "" } = /** @type {HTMLElement} */ (document.getElementById("main")).dataset;
  const answer = await fetch(`/ui/room/${code}/host`, {
    method: "POST",
    headers: { "hx-request": "true" },
    body: new URLSearchParams({ token }),
  });
  if (answer.ok) location.reload();
  else /** @type {HTMLElement} */ (document.getElementById("refusal")).textContent = reason(token);
}
