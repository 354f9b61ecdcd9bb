// The form on a board's page by which whoever has come by a player's or a scorekeeper's link sends scores.

import { LinkError } from "./link.js";

export class ScoreForm {
  /** A page that came by plain http has no randomUUID. */
  #by = [...crypto.getRandomValues(new Uint32Array(2))].map((each) => each.toString(36)).join("");
  #n = 0;

  /**
   * @param {HTMLElement} card  with the form, hidden until now
   * @param {import("./link.js").Link} link
   * @param {string} channel
   * @param {import("./strings.js").Words} words
   * @param {import("./pass.js").Claims} claims
   */
  constructor(card, link, channel, words, { sub }) {
    const form = /** @type {HTMLFormElement} */ (card.querySelector("form"));
    const note = /** @type {HTMLElement} */ (card.querySelector("[role=status]"));
    const [player, score] = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("input")]);
    card.hidden = false;
    if (sub !== undefined) {
      player.value = sub;
      player.readOnly = true;
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      this.#n += 1;
      const told = { player: player.value.trim(), score: score.valueAsNumber, by: this.#by, n: this.#n };
      try {
        const { failed, results } = await link.publish(channel, [told], { results: true });
        if (failed.length) throw new LinkError(failed[0].errorType, failed[0].message);
        const [now] = results ?? [];
        const place = now?.rank ? words.ordinal(now.rank) : "";
        note.textContent = words.say.scored(told.player, words.number(now?.score ?? told.score), place);
        score.value = "";
        (sub === undefined ? player : score).select();
      } catch (error) {
        note.textContent = `${words.say.notSent}: ${/** @type {Error} */ (error).message}`;
      }
    });
  }
}
