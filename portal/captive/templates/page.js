(function () {
  var d = document;
  d.querySelectorAll("form").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      var button = form.querySelector("button"), words = button.textContent;
      button.textContent = form.dataset.busy;
      setTimeout(function () { button.disabled = true; }, 0);
      setTimeout(function () {
        button.disabled = false; button.textContent = words; delete form.dataset.sent;
      }, 15000);
    });
  });
  function go(url) { location.replace(url); }
  function two(n) { return (n < 10 ? "0" : "") + n; }
  function clock(s) {
    var h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
    return h ? h + ":" + two(m) + ":" + two(s % 60) : m + ":" + two(s % 60);
  }
  var began = Date.now();
  function tick(node, from, words, atZero) {
    var timer = setInterval(function () {
      var s = Math.max(0, from - Math.floor((Date.now() - began) / 1000));
      node.textContent = words(s);
      if (s === 0) { clearInterval(timer); if (atZero) { setTimeout(atZero, 1000); } }
    }, 500);
  }
  d.querySelectorAll("[data-count-s]").forEach(function (n) { tick(n, +n.dataset.countS, String); });
  d.querySelectorAll("[data-left-s]").forEach(function (n) {
    tick(n, +n.dataset.leftS, clock, function () { go(location.href); });
  });
  var next = d.body.dataset;
  if (next.nextS) { setTimeout(function () { go(next.nextUrl); }, next.nextS * 1000); }
  addEventListener("pageshow", function (e) { if (e.persisted) { location.reload(); } });
})();
