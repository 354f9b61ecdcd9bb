// The page /r/{code}/remote: the controls on a phone. All it needs of the stream is when to look again.

import { host } from "./hosting.js";

host({ top: 1, every: 10 }, () => {});
