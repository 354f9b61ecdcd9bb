// A page in TypeScript that uses the client: what is right passes, and each mistake is one that the compiler finds.

import { connect, LinkError } from "../../static/js/link.js";
import type { LinkEvents, Published, Snapshot, State } from "../../static/js/link.js";
import { Standings } from "../../static/js/standing.js";
import { Words } from "../../static/js/strings.js";

const link = connect({ url: new URL("http://127.0.0.1:8000"), key: "pk_viewer" });
const standings = new Standings("desc");

const subscription = link.subscribe("/leaderboard/arcade", { top: 10, around: "ann", radius: 1 }, (snapshot) => {
  const names: string[] = (snapshot.rows ?? []).map((row) => row.name ?? row.player);
  standings.see(snapshot);
  const ann = standings.of("ann");
  if (ann) console.log(new Words("en").sentence(ann), ann.gap?.toFixed(), names);
  // @ts-expect-error: a view may not have asked for it
  snapshot.around.length;
  // @ts-expect-error: no such member
  snapshot.row;
});
subscription.close();

link.subscribe("/leaderboard/arcade", (snapshot: Snapshot) => console.log(snapshot.round.state === "open"));
link.subscribe("/default/chat", "events", (event) => console.log(event.text), (error) => {
  const { name, message, retryAfterMs }: { name: string; message: string; retryAfterMs: number } = error;
  console.log(name, message, retryAfterMs);
});

const state: State = link.state;
const published: Published = await link.publish("/leaderboard/arcade", { player: "ann", score: 1 }, { results: true });
console.log(state, published.results?.[0]?.rank, new LinkError("Anything") instanceof Error);
document.body.addEventListener("lb:state", (event) => {
  const { detail } = event as CustomEvent<LinkEvents["lb:state"]>;
  console.log(detail.state, detail.lastKnown);
});

// @ts-expect-error: a number is no address
connect({ url: 8000 });
// @ts-expect-error: no such option
connect({ apiKey: "pk_viewer" });
// @ts-expect-error: no such state
link.state === "open";
// @ts-expect-error: no beat of three
link.subscribe("/leaderboard/arcade", { every: 3 }, () => {});
// @ts-expect-error: nobody listens
link.subscribe("/leaderboard/arcade");
// @ts-expect-error: results come if they are asked for
published.results[0];
// @ts-expect-error: an error is no text
link.subscribe("/leaderboard/arcade", () => {}, (error: string) => console.log(error));
