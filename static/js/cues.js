// What a player hears and feels of the game: short tones, made here, and the buzz of a phone. Both are off until somebody
// switches them on, and stay as they were left.

/** @typedef {"tick" | "go" | "hit" | "miss" | "over"} Cue */

/** Hertz, seconds after which it begins, seconds that it lasts. @type {Record<Cue, [number, number, number][]>} */
const TONES = {
  tick: [[523, 0, 0.07]],
  go: [[784, 0, 0.18]],
  hit: [[587, 0, 0.09]],
  miss: [[147, 0, 0.16]],
  over: [
    [523, 0, 0.14],
    [659, 0.14, 0.14],
    [784, 0.28, 0.4],
  ],
};
/** Milliseconds on, off, on. @type {Partial<Record<Cue, number[]>>} */
const BUZZES = { go: [30], hit: [12], miss: [45, 30, 45], over: [60, 40, 60] };
const LOUD = 0.16;
const SILENT = 0.0001;
/** Semitones that a combo lifts the tone of a hit by, at most. */
const HIGHEST = 8;

export class Cues {
  /** @type {AudioContext | null} */
  #audio = null;
  #sound;
  #buzz;

  /**
   * @param {HTMLElement} sound  an element with role="switch"
   * @param {HTMLElement} buzz  likewise; it stays hidden where nothing can buzz
   */
  constructor(sound, buzz) {
    this.#sound = new Switch(sound, "sound", () => this.give("hit"));
    this.#buzz = new Switch(buzz, "buzz", () => this.give("hit"));
    buzz.hidden = !("vibrate" in navigator);
  }

  /** @param {Cue} cue @param {number} [combo]  hits in a row, which lift the tone */
  give(cue, combo = 0) {
    // Before somebody has touched the page, browsers let it make no sound, and complain if it tries.
    if (navigator.userActivation?.hasBeenActive === false) return;
    if (this.#buzz.on) navigator.vibrate?.(BUZZES[cue] ?? []);
    if (this.#sound.on) this.#sing(TONES[cue], 2 ** (Math.min(combo, HIGHEST) / 12));
  }

  /** @param {[number, number, number][]} tones @param {number} lift */
  #sing(tones, lift) {
    this.#audio ??= new AudioContext();
    const audio = this.#audio;
    void audio.resume();
    for (const [hertz, after, seconds] of tones) {
      const start = audio.currentTime + after;
      const loudness = audio.createGain();
      loudness.gain.setValueAtTime(SILENT, start);
      loudness.gain.exponentialRampToValueAtTime(LOUD, start + 0.01);
      loudness.gain.exponentialRampToValueAtTime(SILENT, start + seconds);
      const tone = audio.createOscillator();
      tone.type = "triangle";
      tone.frequency.value = hertz * lift;
      tone.connect(loudness).connect(audio.destination);
      tone.start(start);
      tone.stop(start + seconds);
    }
  }
}

/** On or off, and remembered. */
class Switch {
  on = false;

  /** @param {HTMLElement} element @param {string} name @param {() => void} tried  called when it is switched on */
  constructor(element, name, tried) {
    const show = () => element.setAttribute("aria-checked", String(this.on));
    try {
      this.on = localStorage.getItem(name) === "on";
    } catch {
      // a browser that keeps nothing
    }
    show();
    element.addEventListener("click", () => {
      this.on = !this.on;
      show();
      try {
        localStorage.setItem(name, this.on ? "on" : "off");
      } catch {
        // likewise
      }
      if (this.on) tried();
    });
  }
}
