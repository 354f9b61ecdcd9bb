// The first three of a round. They come in one after the other, from the third on, by styles alone.

/** @typedef {import("./link.js").Snapshot} Snapshot */

/**
 * Writes the podium, unless it stands there already: who is written anew comes in anew.
 * @param {HTMLElement} list
 * @param {Snapshot} snapshot
 * @param {import("./words.js").TableWords} words
 */
export function podium(list, { rows, round }, words) {
  const best = (rows ?? []).slice(0, 3);
  const key = [round.number, ...best.map((row) => `${row.player} ${row.score} ${row.name}`)].join("\n");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...best.map((row, index) => {
      const place = document.createElement("li");
      place.dataset.place = String(index + 1);
      place.dataset.rank = String(row.rank);
      const medal = document.createElement("span");
      medal.className = "medal";
      medal.textContent = words.number(row.rank);
      const name = document.createElement("bdi");
      name.className = "name";
      name.textContent = row.name || row.player;
      const score = document.createElement("b");
      score.textContent = words.number(row.score);
      place.append(medal, " ", name, " ", score);
      return place;
    }),
  );
}
