// The annotator's desk: the post on screen, and one action for each post that was seen. A held key, a double press
// and a press within SEEN_MS of a new post are ignored.
//
// The next post is prefetched: it is painted when an answer is sent, and stays if the server agrees.

const SEEN_MS = 250;
// Without a response for this long (the connection dropped), a press may be repeated; the server accepts each turn once.
const LOST_MS = 5000;
const DRAFT_MS = 600;
// After the text field has closed, keys count again once no key was pressed for this long.
const RESTING_MS = 1500;

const COMMANDS = { KeyS: "skip", KeyU: "undo", KeyF: "ask", KeyP: "copies" };
const TOOLS = {
  KeyN: "note", KeyG: "guidelines", KeyO: "open", KeyE: "unfold", KeyL: "lookalikes", KeyB: "blur", KeyT: "thread",
};
const LEAVES = /^(skip|ask|answer)\b/; // actions that bring the next post

function isTyping(event) {
  const target = event.composedPath()[0];
  const isField = target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
  return isField || event.isComposing || document.querySelector("[role=dialog], dialog[open]") !== null;
}

function isHelp(event) {
  return event.key === "?" || event.key === "？" || (event.code === "Slash" && event.shiftKey);
}

// The physical key: independent of Chinese input methods, full-width mode and the number pad.
function signOf(event) {
  return event.code.replace(/^(Digit|Numpad|Key)(?=[0-9A-Z]$)/, "").toLowerCase();
}

// Without NumLock the number pad navigates; on Windows, Shift suspends NumLock for one press.
function isNavigation(event) {
  return event.code.startsWith("Numpad") && /^(End|Home|Page|Arrow|Insert|Delete|Clear)/.test(event.key);
}

function actionOf(event, data) {
  if (isNavigation(event)) return undefined;
  const sign = signOf(event);
  const label = data.labels[sign];
  if (event.shiftKey) return label ? `change ${label}` : event.code === "KeyF" ? "flag" : undefined;
  if (label) return `answer ${label}`;
  if (sign in data.reasons) return `reason ${data.reasons[sign]}`;
  return COMMANDS[event.code];
}

// A button's class contains press-ACTION-NUMBER.
function actionOfButton(button, data) {
  const name = button.closest("[class*=st-key-press-]")?.className.match(/st-key-press-(.+?)-\d+(?:\s|$)/)?.[1];
  const number = name?.match(/^reason-(\d+)$/)?.[1];
  if (number !== undefined) return `reason ${Object.values(data.reasons)[number]}`;
  return name?.replace("-", " ");
}

class Desk {
  constructor(parent) {
    this.notes = new Map(); // by post, until the server acknowledges the answer
    this.root = make("div", "desk");
    this.card = make("div", "card");
    this.live = make("div", "live");
    this.live.setAttribute("aria-live", "polite");
    this.warning = make("div", "lost");
    this.warning.setAttribute("role", "alert");
    this.warning.hidden = true;
    this.note = make("textarea", "note");
    this.note.hidden = true;
    this.note.rows = 2;
    this.note.maxLength = 2000;
    this.tools = make("div", "tools");
    this.dialog = make("dialog", "sheet");
    this.root.append(this.card, this.live, this.note, this.tools, this.warning, this.dialog);
    parent.append(this.root);
    this.listeners = [
      [document, "keydown", (event) => this.press(event), false],
      [document, "click", (event) => this.click(event), true],
      [this.note, "input", () => this.draftSoon(), false],
      [this.note, "blur", () => this.draft(), false],
      [this.note, "keydown", (event) => this.leaveNote(event), false],
    ];
    for (const [on, name, listener, capture] of this.listeners) on.addEventListener(name, listener, capture);
  }

  // A new turn is a new post, or the current one after a refusal; only then the next action is accepted.
  show(data, send) {
    this.send = send;
    const before = this.data;
    this.data = data;
    this.drawTools();
    if (before !== undefined && data.turn === before.turn) return this.refresh(before.current, data.current);
    const sent = this.isSent ? this.sentPress : undefined;
    const isSaved = sent !== undefined && data.turn === before.turn + 1;
    if (isSaved && data.current?.post !== sent.post) this.notes.delete(sent.post);
    // A restarted server did not receive the press and shows the post again.
    this.warn(sent !== undefined && !isSaved && data.current?.post === sent.post ? data.words.lost : "");
    if (before === undefined || data.current?.post !== this.painted) this.paint(data.current);
    else this.redraw(data.current);
    if (sent?.isByButton && data.current) this.card.querySelector(".post").focus({ preventScroll: true });
    // Near-copies that were just listed need time to be read, as a new post does.
    this.rest(sent?.action === "copies" ? 4 * SEEN_MS : this.unseen());
  }

  // A redraw within a turn: a saved note changes nothing; a lost claim brings another post.
  refresh(before, current) {
    if (this.isSent || current?.post === this.painted) return;
    this.paint(current);
    this.rest(this.unseen());
  }

  unseen() {
    return Math.max(0, SEEN_MS - (performance.now() - this.paintedAt));
  }

  // Shows another post. The note typed for the previous one is kept for it.
  paint(card) {
    const wasTyping = document.activeElement === this.note;
    clearTimeout(this.drafting);
    this.hasLookalikes = false;
    this.painted = card?.post;
    this.paintedAt = performance.now();
    this.redraw(card);
    this.live.textContent = card ? card.segments.map(([, text]) => text).join("") : "";
    this.note.value = this.notes.get(card?.post) ?? card?.note ?? "";
    this.drafted = card?.note ?? "";
    if (wasTyping) {
      this.note.blur();
      this.restUntil = performance.now() + RESTING_MS;
      this.warn(this.data.words.moved);
    }
    this.note.hidden = !this.note.value;
    this.note.setAttribute("aria-label", this.data.words.note);
    this.note.placeholder = this.data.words.note;
    this.root.classList.toggle("blurred", localStorage.getItem("blur") === "on");
    this.tools.hidden = !card;
  }

  // Redraws the post in place; it stays unfolded and its thread open.
  redraw(card) {
    const isUnfolded = this.card.querySelector(".post:not(.folded)") !== null && this.drawn === card?.post;
    const isOpen = this.card.querySelector("details.thread[open]") !== null && this.drawn === card?.post;
    this.card.replaceChildren(...(card ? drawCard(card, this.data.words, this.hasLookalikes) : []));
    this.drawn = card?.post;
    if (isUnfolded) this.card.querySelector(".post")?.classList.remove("folded");
    if (isOpen) this.card.querySelector("details.thread")?.setAttribute("open", "");
  }

  drawTools() {
    if (this.tools.lang === this.data.language) return;
    this.tools.lang = this.data.language;
    this.tools.replaceChildren(
      ...this.data.tools.map(([command, word]) => {
        const button = make("button", "", word);
        button.type = "button";
        button.dataset.command = command;
        return button;
      }),
    );
  }

  // "ready" accepts an action; "new" and "sent" accept none and time out.
  become(state, milliseconds) {
    clearTimeout(this.timer);
    this.isSent = state === "sent";
    document.documentElement.dataset.keys = state;
    if (state === "ready") return;
    this.timer = setTimeout(() => (this.isSent ? this.takeBack() : this.become("ready")), milliseconds);
  }

  rest(milliseconds) {
    this.become("new", milliseconds);
  }

  isReady() {
    return document.documentElement.dataset.keys === "ready";
  }

  press(event) {
    if (event.repeat || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    // The person is still typing into a field that has just closed.
    if (performance.now() < this.restUntil) {
      this.restUntil = performance.now() + RESTING_MS;
      return;
    }
    if (isHelp(event)) return this.use("help", event);
    if (event.code === "Space" && this.root.classList.contains("blurred")) return this.use("reveal", event);
    const action = actionOf(event, this.data);
    if (action === undefined) {
      const tool = event.shiftKey ? undefined : TOOLS[event.code];
      return tool && this.use(tool, event);
    }
    if (!this.isReady()) return;
    event.preventDefault();
    this.act(action, false);
  }

  act(action, isByButton) {
    clearTimeout(this.drafting);
    const press = { post: this.data.current?.post ?? null, turn: this.data.turn, action, note: this.note.value };
    this.sentPress = { ...press, isByButton };
    this.become("sent", LOST_MS);
    if (LEAVES.test(action) && this.data.current) this.paint(this.data.next);
    this.send("pressed", press);
  }

  // No response: the post painted in advance is not the server's current one.
  takeBack() {
    if (this.painted !== this.data.current?.post) this.paint(this.data.current);
    this.warn(this.data.words.lost);
    this.rest(this.unseen());
  }

  warn(words) {
    this.warning.textContent = words;
    this.warning.hidden = !words;
  }

  // Buttons follow the same rule and send the press with the note, which Streamlit's own event would omit.
  click(event) {
    const tool = event.target.closest?.(".desk [data-command]");
    if (tool) return this.use(tool.dataset.command, event);
    const button = event.target.closest?.(".st-key-answers [class*=st-key-press-] button");
    const action = button && actionOfButton(button, this.data);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (this.isReady() && event.detail < 2) this.act(action, true);
  }

  use(tool, event) {
    event.preventDefault();
    const words = this.data.words;
    const post = this.card.querySelector(".post");
    if (tool === "help") this.open(words.helpTitle, ...this.data.help.map(([key, what]) => make("p", "", make("kbd", "", key), what)));
    if (tool === "guidelines") this.open(words.guidelinesTitle, ...drawGuidelines(this.data));
    if (tool === "close") this.dialog.close();
    if (!post) return;
    if (tool === "note") {
      this.note.hidden = false;
      this.note.focus();
    }
    if (tool === "open") this.card.querySelector("a.open")?.click();
    if (tool === "unfold" && this.card.querySelector(".fold")) post.classList.toggle("folded");
    if (tool === "thread") this.card.querySelector("details.thread")?.toggleAttribute("open");
    if (tool === "lookalikes") {
      this.hasLookalikes = !this.hasLookalikes;
      this.redraw(this.painted === this.data.current?.post ? this.data.current : this.data.next);
    }
    if (tool === "blur") {
      const isBlurred = this.root.classList.toggle("blurred");
      localStorage.setItem("blur", isBlurred ? "on" : "off");
    }
    if (tool === "reveal") this.root.classList.remove("blurred");
  }

  open(title, ...content) {
    const close = make("button", "close", this.data.words.close);
    close.type = "button";
    close.dataset.command = "close";
    const heading = make("h2", "", title);
    this.dialog.replaceChildren(make("div", "desk", heading, ...content, close));
    this.dialog.setAttribute("aria-label", title);
    if (!this.dialog.open) this.dialog.showModal();
  }

  draftSoon() {
    this.notes.set(this.painted, this.note.value);
    clearTimeout(this.drafting);
    this.drafting = setTimeout(() => this.draft(), DRAFT_MS);
  }

  draft() {
    clearTimeout(this.drafting);
    if (this.painted === undefined || this.note.value === this.drafted) return;
    // While an answer is in flight, the server has not moved on to this post yet.
    if (this.isSent) return this.draftSoon();
    this.drafted = this.note.value;
    this.send("drafted", { post: this.painted, note: this.drafted });
  }

  leaveNote(event) {
    if (event.isComposing) return;
    if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
      event.preventDefault();
      event.stopPropagation();
      this.note.blur();
      this.note.hidden = !this.note.value;
    }
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.drafting);
    delete document.documentElement.dataset.keys;
    for (const [on, name, listener, capture] of this.listeners) on.removeEventListener(name, listener, capture);
    this.root.remove();
  }
}

const desks = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  let desk = desks.get(parentElement);
  if (!desk) {
    desk = new Desk(parentElement);
    desks.set(parentElement, desk);
  }
  desk.show(data, setTriggerValue);
  return () => {
    desk.close();
    desks.delete(parentElement);
  };
}
