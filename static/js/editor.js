// What a person has typed as events to publish: whether it is JSON, and where it is not.

/**
 * @typedef {object} Fault
 * @property {"early" | "value" | "string" | "name" | "colon" | "comma" | "end"} wanted  what JSON would go on with
 * @property {number} position  counted from 0
 * @property {number} line  counted from 1
 * @property {number} column  counted from 1
 */

/**
 * The events in a text: the members of a list, or the one value that it is.
 * @param {string} text
 * @returns {{events: unknown[], fault?: undefined} | {events?: undefined, fault: Fault}}
 */
export function readEvents(text) {
  try {
    const value = JSON.parse(text);
    return { events: Array.isArray(value) ? value : [value] };
  } catch {
    const [position, wanted] = stop(text);
    const lines = text.slice(0, position).split("\n");
    return { fault: { wanted, position, line: lines.length, column: (lines.at(-1) ?? "").length + 1 } };
  }
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const CLOSES = { "{": "}", "[": "]" };

/**
 * Where a text stops being JSON, which browsers tell in prose of their own, if at all.
 * @param {string} text  no JSON
 * @returns {[number, Fault["wanted"]]}
 */
function stop(text) {
  /** @type {("{" | "[")[]} */
  const open = [];
  /** @type {"value" | "name" | "comma"} */
  let wanted = "value";
  let position = 0;
  let first = false; // right behind an opening bracket, where its end may stand too

  /** @param {RegExp} token */
  const take = (token) => {
    token.lastIndex = position;
    const found = token.exec(text);
    if (found) position += found[0].length;
    return found !== null;
  };

  for (;;) {
    take(SPACE);
    const char = text[position];
    if (char === undefined) return [position, "early"];
    const inside = open.at(-1);
    if (inside && char === CLOSES[inside] && (first || wanted === "comma")) {
      open.pop();
      position += 1;
      [wanted, first] = ["comma", false];
    } else if (wanted === "comma") {
      if (!inside) return [position, "end"];
      if (char !== ",") return [position, "comma"];
      position += 1;
      wanted = inside === "{" ? "name" : "value";
    } else if (wanted === "name") {
      if (!take(STRING)) return [position, char === '"' ? "string" : "name"];
      take(SPACE);
      if (text[position] !== ":") return [position, position < text.length ? "colon" : "early"];
      position += 1;
      [wanted, first] = ["value", false];
    } else if (char === "{" || char === "[") {
      open.push(char);
      position += 1;
      [wanted, first] = [char === "{" ? "name" : "value", true];
    } else if (take(STRING) || take(SCALAR)) {
      [wanted, first] = ["comma", false];
    } else {
      return [position, char === '"' ? "string" : "value"];
    }
  }
}
