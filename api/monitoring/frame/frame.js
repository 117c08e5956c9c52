// asynqmon's page says nothing where a change is refused, and knows no login. This tells
// both, above the page. It also hides what its text alone tells is not served, and explains
// an empty list of servers.
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
        tell("Your session has ended. Reload this page to log in.");
      } else if (this.status >= 400 && !looks) {
        tell(this.responseText);
      }
    });
    return open.apply(this, arguments);
  };

  var refused = ["Archive All", "Cancel All"];
  var noServers = "No servers found at this time.";
  var explained = "No workers are running. Start one with icims-export worker. Each worker has a server for the queue icims:control; a customer has a server only while it has work.";
  function adapt() {
    document.querySelectorAll("#action-menu li").forEach(function (item) {
      if (refused.indexOf(item.textContent) >= 0) {
        item.setAttribute("data-frame-hidden", "");
      }
    });
    document.querySelectorAll(".MuiAlert-message").forEach(function (message) {
      message.childNodes.forEach(function (node) {
        if (node.nodeType === Node.TEXT_NODE && node.nodeValue === noServers) {
          node.nodeValue = explained;
        }
      });
    });
  }
  new MutationObserver(adapt).observe(document.body, { childList: true, subtree: true });
})();
