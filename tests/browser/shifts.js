// Layout shifts of a page since its beginning (Layout Instability). Input excuses none: nobody has touched the page, and
// on a phone Chromium counts the setting of the viewport as an input.
//
// Rows that change places are the ranking, not a fault: they slide, and test_board.py has an eye on that. A shift counts
// unless nothing but rows is in it, or what an element shows inside itself, which is not named to the outside.
(() => {
  const shifts = [];
  const observer = new PerformanceObserver((list) => shifts.push(...list.getEntries()));
  observer.observe({ type: "layout-shift", buffered: true });
  const ranked = ({ node }) => node === null || node?.closest?.("tbody") !== null;
  const tell = ({ node, previousRect: before, currentRect: after }) =>
    `${node?.nodeName}${node?.id ? `#${node.id}` : ""}.${node?.className} from ${before.x},${before.y} to ${after.x},${after.y}`;

  window.shifted = () => {
    shifts.push(...observer.takeRecords());
    const faults = shifts.filter((shift) => !(shift.sources.length && shift.sources.every(ranked)));
    const words = faults.map((shift) => `${shift.value.toFixed(4)}: ${shift.sources.map(tell).join(", ")}`);
    return [faults.reduce((sum, shift) => sum + shift.value, 0), words.join("\n")];
  };

  // Nothing moves, but for what goes on and on or counts a round down, and what has moved has been painted.
  window.settled = async () => {
    const motions = document.getAnimations().filter((each) => each.effect?.getComputedTiming().endTime < 5000);
    await Promise.all(motions.map((each) => each.finished.catch(() => {})));
    for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  };
})();
