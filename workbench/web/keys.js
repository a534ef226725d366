// The annotator's keys. One action for each post that was really seen: a held key, a double press
// and a press in the first moments after a new post are not answers to it.

const SEEN_MS = 250;
// A press whose answer never came (the connection dropped) may be repeated; the server takes each turn once.
const LOST_MS = 5000;

const ANSWERS = { Digit1: 0, Digit2: 1, Digit3: 2, Numpad1: 0, Numpad2: 1, Numpad3: 2 };
const COMMANDS = { KeyS: "skip", KeyU: "undo" };

function isTyping(event) {
  const target = event.composedPath()[0];
  const isField = target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
  return isField || event.isComposing || document.querySelector("[role=dialog], dialog[open]") !== null;
}

function actionOf(event, labels) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const label = labels[ANSWERS[event.code]];
  if (event.shiftKey) return label && `change ${label}`;
  return label ?? COMMANDS[event.code];
}

class Desk {
  constructor() {
    this.onKey = (event) => this.press(event);
    this.onClick = (event) => this.click(event);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("click", this.onClick, true);
  }

  // A new turn is a new post, or the same one after a refusal: only then is the next action taken.
  show(data, send) {
    this.send = send;
    const isSamePost = this.data !== undefined && data.post === this.data.post;
    if (isSamePost && data.turn === this.data.turn) return;
    this.data = data;
    this.become("new", isSamePost ? 0 : SEEN_MS);
  }

  // "ready" takes an action; "new" and "sent" take none, and become ready after a while.
  become(state, milliseconds) {
    clearTimeout(this.timer);
    document.documentElement.dataset.keys = state;
    if (state !== "ready") this.timer = setTimeout(() => this.become("ready"), milliseconds);
  }

  isReady() {
    return document.documentElement.dataset.keys === "ready";
  }

  press(event) {
    if (event.repeat || isTyping(event)) return;
    const action = actionOf(event, this.data.labels);
    if (action === undefined || !this.isReady()) return;
    event.preventDefault();
    this.become("sent", LOST_MS);
    this.send("pressed", { post: this.data.post, turn: this.data.turn, action });
  }

  // The buttons obey the same rule; a press that is let through is sent by Streamlit itself.
  click(event) {
    if (!event.target.closest?.(".st-key-answers button")) return;
    if (this.isReady() && event.detail < 2) {
      this.become("sent", LOST_MS);
    } else {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  close() {
    clearTimeout(this.timer);
    delete document.documentElement.dataset.keys;
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("click", this.onClick, true);
  }
}

const desks = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  let desk = desks.get(parentElement);
  if (!desk) {
    desk = new Desk();
    desks.set(parentElement, desk);
  }
  desk.show(data, setTriggerValue);
  return () => {
    desk.close();
    desks.delete(parentElement);
  };
}
