// The configurator, /embed: copying. What is shown is htmx's to fetch, and the board /widget.js's.

import { offerCopies } from "./clipboard.js";

offerCopies(/** @type {HTMLElement} */ (document.getElementById("status")));
