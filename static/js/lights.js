// Light Nine, the game: which tile lights, and what a press is worth. The same as leaderboard/lights.py, which decides;
// tests/lights.json holds the two together. Times are milliseconds since the round began.

const TILES = 9;
const LEAST = 7;
const MOST_COMBO = 8;
const MISS = -5;
const LOCK = 250;
const GAP = 80;

/** @typedef {{light: number, combo: number, ready: number}} Hand  how far a player is */

/**
 * What a press does to the hand, and the points of it; null if the hand is not ready, and nothing happens.
 * @param {Hand} hand
 * @param {number} tile
 * @param {number} at
 * @param {number[]} lights
 * @returns {{hand: Hand, points: number} | null}
 */
export function press({ light, combo, ready }, tile, at, lights) {
  if (at < ready) return null;
  if (lights[light] !== tile) return { hand: { light, combo: 0, ready: at + LOCK }, points: MISS };
  return { hand: { light: light + 1, combo: combo + 1, ready: at + GAP }, points: LEAST + Math.min(combo, MOST_COMBO) };
}

/**
 * The tiles of a round, as many as anybody can reach; no tile lights twice in a row.
 * @param {number} seed
 * @param {number} number  of the round
 * @param {number} length  milliseconds
 */
export function lightsOf(seed, number, length) {
  let tile = mixed(seed + number) % TILES;
  const tiles = [tile];
  for (let light = 1; light <= Math.floor(length / GAP); light += 1) {
    tile = (tile + 1 + (mixed(seed + number + light * 0x9e3779b9) % (TILES - 1))) % TILES;
    tiles.push(tile);
  }
  return tiles;
}

/** 32 bits of which each depends on every bit of the value: the last step of MurmurHash3. @param {number} value */
function mixed(value) {
  value >>>= 0;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b) >>> 0;
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35) >>> 0;
  return (value ^ (value >>> 16)) >>> 0;
}
