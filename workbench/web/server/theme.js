// The theme that the visitor has chosen, stated in the document, where Streamlit's client looks for it. It keeps one for each
// address and in this browser alone; ours goes with the person.
(() => {
  const NAMES = { system: "System", light: "Light", dark: "Dark" };
  const name = NAMES[document.documentElement.dataset.theme];
  if (name) window.localStorage.setItem(`stActiveTheme-${window.location.pathname}-v2`, JSON.stringify(name));
})();
