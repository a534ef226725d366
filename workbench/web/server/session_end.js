// A page whose session has ended leads to the form for signing in. Streamlit's client would show a dialog about a lost
// connection, in English, and ask for a new one until the page is closed.

(() => {
  const STREAM = "/_stcore/stream";
  const SIGNED_OUT = 1008;
  // Open to signed-in visitors alone, and asked for by Streamlit's client as well.
  const PROBE = "/_stcore/host-config";
  const LOOK_AGAIN_MS = 3000;
  // While another page loads, it decides where the visitor lands: the form's own answer to a sign-out, for example.
  const LEAVING_MS = 5000;

  let leavingUntil = 0;
  let isLooking = false;
  window.addEventListener("beforeunload", () => {
    leavingUntil = performance.now() + LEAVING_MS;
  });

  function leave() {
    if (performance.now() < leavingUntil) setTimeout(leave, LEAVING_MS);
    else window.location.assign(`/sign-in?ended=1&next=${encodeURIComponent(window.location.pathname)}`);
  }

  // The connection broke without a word, as it does while a machine sleeps: the session may have ended since.
  async function look() {
    isLooking = true;
    const answer = await fetch(PROBE, { cache: "no-store" }).catch(() => undefined);
    if (answer?.ok) isLooking = false;
    else if (answer?.status === 401) leave();
    else setTimeout(look, LOOK_AGAIN_MS);
  }

  window.WebSocket = class extends WebSocket {
    constructor(address, ...others) {
      super(address, ...others);
      if (new URL(address, window.location.href).pathname !== STREAM) return;
      this.addEventListener("close", ({ code }) => {
        if (code === SIGNED_OUT) leave();
        else if (!isLooking && performance.now() >= leavingUntil) look();
      });
    }
  };
})();
