// The page of the console, /console.

import { openConsole } from "./console.js";

openConsole();
