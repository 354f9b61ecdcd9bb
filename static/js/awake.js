// Keeps the screen of a device on while there is something to wait for. A bonus: over plain http browsers do not have it.

let wanted = false;
/** @type {WakeLockSentinel | null} */
let lock = null;

/** @param {boolean} on */
export function keepAwake(on) {
  wanted = on;
  void look();
}

// Who turns to another page gives it up.
document.addEventListener("visibilitychange", look);

async function look() {
  const holding = lock !== null && !lock.released;
  if (wanted === holding || document.hidden) return;
  try {
    if (wanted) lock = (await navigator.wakeLock?.request("screen")) ?? null;
    else await lock?.release();
  } catch {
    // not allowed, as with a battery that is low
  }
}
