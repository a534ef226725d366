// Keys for one decision at a time. Ignored are a held key, a double press, a press within SEEN_MS of a new subject,
// and a key in a text field or behind a dialog.

const SEEN_MS = 250;
// Without a response for this long, a press may be repeated; the server accepts each turn once.
const LOST_MS = 5000;

function isTyping(event) {
  const target = event.composedPath()[0];
  const isField = target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
  return isField || event.isComposing || document.querySelector("[role=dialog], dialog[open]") !== null;
}

// The physical key: independent of Chinese input methods, full-width mode and the number pad.
function signOf(event) {
  return event.code.replace(/^(Digit|Numpad|Key)(?=[0-9A-Z]$)/, "").toLowerCase();
}

class Choice {
  constructor() {
    this.listeners = [
      ["keydown", (event) => this.press(event), false],
      ["click", (event) => this.click(event), true],
    ];
    for (const [name, listener, capture] of this.listeners) document.addEventListener(name, listener, capture);
  }

  show(data, send) {
    const isNew = this.data === undefined || data.subject !== this.data.subject;
    const isSame = this.data !== undefined && data.turn === this.data.turn;
    this.data = data;
    this.send = send;
    if (!isSame) this.become("new", isNew ? SEEN_MS : 0);
  }

  become(state, milliseconds) {
    clearTimeout(this.timer);
    document.documentElement.dataset.choice = state;
    if (state !== "ready") this.timer = setTimeout(() => this.become("ready"), milliseconds);
  }

  isReady() {
    return document.documentElement.dataset.choice === "ready";
  }

  press(event) {
    if (event.repeat || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const action = this.data.keys[signOf(event)];
    if (action === undefined || !this.isReady()) return;
    event.preventDefault();
    this.become("sent", LOST_MS);
    this.send("pressed", { subject: this.data.subject, turn: this.data.turn, action });
  }

  // Buttons follow the same rule; Streamlit itself sends an accepted press.
  click(event) {
    if (!event.target.closest?.("[class*=st-key-choose-] button")) return;
    if (this.isReady() && event.detail < 2) return this.become("sent", LOST_MS);
    event.preventDefault();
    event.stopPropagation();
  }

  close() {
    clearTimeout(this.timer);
    delete document.documentElement.dataset.choice;
    for (const [name, listener, capture] of this.listeners) document.removeEventListener(name, listener, capture);
  }
}

const choices = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  let choice = choices.get(parentElement);
  if (!choice) {
    choice = new Choice();
    choices.set(parentElement, choice);
  }
  choice.show(data, setTriggerValue);
  return () => {
    choice.close();
    choices.delete(parentElement);
  };
}
