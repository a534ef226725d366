// What Streamlit's client names in English alone, in the reader's language: for screen readers, tips and empty fields. The
// table stands in front of this script; React keeps an attribute that it did not change itself.
(() => {
  const ATTRIBUTES = ["aria-label", "title", "placeholder", "aria-valuetext"];
  let isDue = false;

  function rename() {
    isDue = false;
    for (const [english, own] of Object.entries(STREAMLIT_NAMES)) {
      for (const attribute of ATTRIBUTES) {
        for (const element of document.querySelectorAll(`[${attribute}="${english}"]`)) element.setAttribute(attribute, own);
      }
    }
    // Vega describes each axis and mark in English; what a chart shows is told in words beside it.
    for (const drawing of document.querySelectorAll(".stVegaLiteChart svg:not([aria-hidden])")) drawing.setAttribute("aria-hidden", "true");
    const skip = document.querySelector("[data-testid=stSkipToContent]")?.firstChild;
    if (skip?.nodeValue in STREAMLIT_NAMES) skip.nodeValue = STREAMLIT_NAMES[skip.nodeValue];
  }

  // Once for many changes, and never before the next post is painted.
  function plan() {
    if (isDue) return;
    isDue = true;
    requestIdleCallback(rename, { timeout: 1000 });
  }

  new MutationObserver(plan).observe(document, { childList: true, subtree: true, attributeFilter: ATTRIBUTES });
})();
