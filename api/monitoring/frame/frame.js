// asynqmon's page says nothing where a change is refused, and knows no login. This tells
// both, above the page.
(function () {
  "use strict";
  var notice = document.getElementById("frame-notice");
  var base = location.origin + notice.dataset.path;
  notice.querySelector("button").addEventListener("click", function () { notice.hidden = true; });
  function tell(text) {
    notice.querySelector("span").textContent = text;
    notice.hidden = false;
  }
  var open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method) {
    var looks = method.toUpperCase() === "GET";
    this.addEventListener("load", function () {
      if (this.status === 401 || this.responseURL.indexOf(base) !== 0) {
        tell("Your session has ended. Load this page again to log in.");
      } else if (this.status >= 400 && !looks) {
        tell(this.responseText);
      }
    });
    return open.apply(this, arguments);
  };
})();
