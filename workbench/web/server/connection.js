// What a page does without its server. While the server is away, a strip says so in the reader's language, and the keys
// of the Label page are refused. A page whose session has ended leads to the form for signing in. Streamlit's client
// would show dialogs in English, about the internet connection, which take the focus from a note that is being written.

(() => {
  const STREAM = "/_stcore/stream";
  const SIGNED_OUT = 1008;
  // Open to signed-in visitors alone, and asked for by Streamlit's client as well.
  const PROBE = "/_stcore/host-config";
  const LOOK_AGAIN_MS = 1500;
  // A connection that comes back at once is not worth a word.
  const CALM_MS = 700;
  // From the open connection until Streamlit's client takes it for connected.
  const SETTLING_MS = 100;
  // A run that was over before it was looked for.
  const RUN_MS = 3000;
  // While another page loads, it decides where the visitor lands: the form's own answer to a sign-out, for example.
  const LEAVING_MS = 5000;
  const DRAFTS = "draft:"; // of `drafts.js`

  const ask = window.fetch;
  const root = document.documentElement;
  let leavingUntil = 0;
  let back; // settled when the server answers again; undefined while it does
  window.addEventListener("beforeunload", () => {
    leavingUntil = performance.now() + LEAVING_MS;
  });
  document.addEventListener("submit", (event) => {
    if (new URL(event.target.action).pathname === "/sign-out") forgetDrafts();
  });

  function forgetDrafts() {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(DRAFTS)) sessionStorage.removeItem(key);
  }

  function leave() {
    if (performance.now() < leavingUntil) return setTimeout(leave, LEAVING_MS);
    forgetDrafts();
    window.location.assign(`/sign-in?ended=1&next=${encodeURIComponent(window.location.pathname)}`);
  }

  function goAway() {
    root.dataset.away = "";
    back ??= look();
    setTimeout(() => "away" in root.dataset && strip().removeAttribute("hidden"), CALM_MS);
  }

  // Streamlit's client runs nothing when it has connected again, and a restarted server would not know what a press in
  // the page is about. Its own key for running the page again sends what stands in the fields as well. The page is back
  // when that run is over.
  function comeBack() {
    if (!("away" in root.dataset)) return;
    const rerun = { key: "r", code: "KeyR", keyCode: 82, which: 82, bubbles: true };
    setTimeout(() => document.body.dispatchEvent(new KeyboardEvent("keydown", rerun)), SETTLING_MS);
    const began = performance.now();
    let hasRun = false;
    const looking = setInterval(() => {
      const isIdle = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning";
      hasRun ||= !isIdle;
      if (!isIdle || !(hasRun || performance.now() - began > RUN_MS)) return;
      clearInterval(looking);
      if (back) return;
      delete root.dataset.away;
      strip().setAttribute("hidden", "");
    }, 50);
  }

  function strip() {
    const drawn = document.querySelector(".away-strip") ?? document.createElement("div");
    if (drawn.isConnected) return drawn;
    drawn.className = "away-strip";
    drawn.hidden = true;
    drawn.setAttribute("role", "alert");
    drawn.textContent = AWAY;
    document.body.append(drawn);
    return drawn;
  }

  // Resolves when the server answers. The connection may have broken because the session has ended, or while a machine slept.
  async function look() {
    for (;;) {
      const answer = await ask(PROBE, { cache: "no-store" }).catch(() => undefined);
      if (answer?.status === 401) {
        leave();
        return new Promise(() => {}); // what waits for the server waits until the page is left
      }
      if (answer?.ok) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
    back = undefined;
  }

  // Streamlit's client asks before it connects again. Its questions wait, without its time limit, as their failure
  // would open its dialog.
  window.fetch = async (address, ...options) => {
    const isStreamlits = new URL(address.url ?? address, window.location.href).pathname.startsWith("/_stcore/");
    if (!isStreamlits || !back) return ask(address, ...options);
    while (back) await back;
    return ask(address);
  };

  window.WebSocket = class extends WebSocket {
    constructor(address, ...others) {
      super(address, ...others);
      if (new URL(address, window.location.href).pathname !== STREAM) return;
      this.addEventListener("open", comeBack);
      this.addEventListener("close", ({ code }) => {
        if (code === SIGNED_OUT) leave();
        else if (performance.now() >= leavingUntil) goAway();
      });
    }
  };
})();
