// Shows what goes wrong in the scripts of a page, on the page. A plain script, and one that every browser understands: it
// must run where modules do not. Its words are in templates/_trouble.html.

(function () {
  "use strict";
  var most = 5;
  /** @type {string[][]} */
  var seen = [];

  /** @param {string[]} parts  names of words, or texts */
  function show(parts) {
    if (seen.length < most) seen.push(parts);
    draw();
  }

  function draw() {
    var box = /** @type {HTMLElement} */ (document.getElementById("trouble"));
    if (!box) return; // the page is still being read: once more when it is there
    var list = /** @type {HTMLElement} */ (document.getElementById("trouble-list"));
    while (list.children.length < seen.length) {
      var item = document.createElement("li");
      item.textContent = seen[list.children.length].map(function (part) {
        return box.getAttribute("data-" + part) || part;
      }).join("");
      list.appendChild(item);
    }
    box.hidden = seen.length === 0;
  }

  // While capturing, so that a file that does not load is heard of too.
  window.addEventListener("error", function (event) {
    var source = /** @type {{src?: string, href?: string} | null} */ (event.target);
    var file = source && (source.src || source.href);
    if (file) show(["file", file]);
    else show([event.message].concat(event.filename ? [" (" + event.filename, "line", event.lineno + ")"] : []));
  }, true);
  window.addEventListener("unhandledrejection", function (event) {
    show([String((event.reason && event.reason.message) || event.reason)]);
  });
  document.addEventListener("DOMContentLoaded", draw);
  // A module says that it has begun by marking the root element.
  window.addEventListener("load", function () {
    setTimeout(function () {
      if (!document.documentElement.hasAttribute("data-started")) show(["idle"]);
    }, 3000);
  });
})();
