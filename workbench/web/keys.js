// The annotator's desk: the post on screen, and one action for each post that was really seen. A held key, a
// double press and a press in the first moments after a new post are not answers to it.
//
// The next post is in the page already: it is painted when an answer is sent, and stays if the server agrees.

const SEEN_MS = 250;
// A press whose answer never came (the connection dropped) may be repeated; the server takes each turn once.
const LOST_MS = 5000;
const DRAFT_MS = 600;

const COMMANDS = { KeyS: "skip", KeyU: "undo", KeyF: "ask", KeyP: "copies" };
const TOOLS = {
  KeyN: "note", KeyG: "guidelines", KeyO: "open", KeyE: "unfold", KeyL: "lookalikes", KeyB: "blur", KeyT: "thread",
};
const LEAVES = /^(skip|ask|answer)\b/; // actions after which another post comes

function isTyping(event) {
  const target = event.composedPath()[0];
  const isField = target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
  return isField || event.isComposing || document.querySelector("[role=dialog], dialog[open]") !== null;
}

function isHelp(event) {
  return event.key === "?" || event.key === "？" || (event.code === "Slash" && event.shiftKey);
}

// By the place of the key: under a Chinese input method, full-width or on the number pad it is the same.
function signOf(event) {
  return event.code.replace(/^(Digit|Numpad|Key)(?=[0-9A-Z]$)/, "").toLowerCase();
}

function actionOf(event, data) {
  const sign = signOf(event);
  const label = data.labels[sign];
  if (event.shiftKey) return label ? `change ${label}` : event.code === "KeyF" ? "flag" : undefined;
  if (label) return `answer ${label}`;
  if (sign in data.reasons) return `reason ${data.reasons[sign]}`;
  return COMMANDS[event.code];
}

class Desk {
  constructor(parent) {
    this.root = make("div", "desk");
    this.card = make("div", "card");
    this.card.setAttribute("aria-live", "polite");
    this.warning = make("div", "lost");
    this.warning.setAttribute("role", "alert");
    this.warning.hidden = true;
    this.note = make("textarea", "note");
    this.note.hidden = true;
    this.note.rows = 2;
    this.tools = make("div", "tools");
    this.dialog = make("dialog", "sheet");
    this.root.append(this.card, this.note, this.tools, this.warning, this.dialog);
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

  // A new turn is a new post, or the same one after a refusal: only then is the next action taken.
  show(data, send) {
    this.send = send;
    const before = this.data;
    this.data = data;
    this.drawTools();
    if (before !== undefined && data.turn === before.turn) {
      // Drawn again only where something other than the note came with it, as a thread that was found.
      if (!this.isSent && JSON.stringify(before.current) !== JSON.stringify(data.current)) this.paint(data.current);
      return;
    }
    // A server that knows nothing of what was sent has begun anew: the turn after this one is not the next.
    this.warn(this.isSent && data.turn !== before.turn + 1);
    if (data.current?.post !== this.painted || before === undefined) this.paint(data.current);
    const isNew = data.current?.post !== before?.current?.post;
    this.become("new", isNew ? Math.max(0, SEEN_MS - (performance.now() - this.paintedAt)) : 0);
  }

  paint(card) {
    const isSame = card?.post === this.painted;
    if (!isSame) this.hasLookalikes = false;
    this.card.replaceChildren(...(card ? drawCard(card, this.data.words, this.hasLookalikes) : []));
    this.painted = card?.post;
    this.paintedAt = performance.now();
    if (isSame) return;
    clearTimeout(this.drafting);
    this.drafted = this.note.value = card?.note ?? "";
    this.note.hidden = !this.note.value;
    this.note.setAttribute("aria-label", this.data.words.note);
    this.note.placeholder = this.data.words.note;
    this.root.classList.toggle("blurred", localStorage.getItem("blur") === "on");
    this.tools.hidden = !card;
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

  // "ready" takes an action; "new" and "sent" take none, and become ready after a while.
  become(state, milliseconds) {
    clearTimeout(this.timer);
    this.isSent = state === "sent";
    document.documentElement.dataset.keys = state;
    if (state === "ready") return;
    this.timer = setTimeout(() => (this.isSent ? this.takeBack() : this.become("ready")), milliseconds);
  }

  isReady() {
    return document.documentElement.dataset.keys === "ready";
  }

  press(event) {
    if (event.repeat || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isHelp(event)) return this.use("help", event);
    if (event.code === "Space" && this.root.classList.contains("blurred")) return this.use("reveal", event);
    const action = actionOf(event, this.data);
    if (action === undefined) {
      const tool = event.shiftKey ? undefined : TOOLS[event.code];
      return tool && this.use(tool, event);
    }
    if (!this.isReady()) return;
    event.preventDefault();
    clearTimeout(this.drafting);
    const press = { post: this.data.current?.post ?? null, turn: this.data.turn, action, note: this.note.value };
    this.sent(action);
    this.send("pressed", press);
  }

  sent(action) {
    this.become("sent", LOST_MS);
    if (LEAVES.test(action) && this.data.current) this.paint(this.data.next);
  }

  // No answer came: whatever was painted ahead is not what the server knows.
  takeBack() {
    const note = this.note.value;
    const isAnother = this.painted !== this.data.current?.post;
    this.paint(this.data.current);
    if (!isAnother) this.note.value = note;
    this.warn(true);
    this.become("ready");
  }

  warn(isLost) {
    this.warning.textContent = isLost ? this.data.words.lost : "";
    this.warning.hidden = !isLost;
  }

  // The buttons obey the same rule; a press that is let through is sent by Streamlit itself.
  click(event) {
    const tool = event.target.closest?.(".desk [data-command]");
    if (tool) return this.use(tool.dataset.command, event);
    const button = event.target.closest?.(".st-key-answers button");
    if (!button) return;
    if (this.isReady() && event.detail < 2) {
      const kind = button.closest("[class*=st-key-press-]").className.match(/st-key-press-(\w+)/)[1];
      this.sent(kind);
    } else {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  use(tool, event) {
    event.preventDefault();
    const words = this.data.words;
    const post = this.card.querySelector(".post");
    if (tool === "help") this.open(words.helpTitle, ...this.data.help.map(([key, what]) => make("p", "", make("kbd", "", key), what)));
    if (tool === "guidelines") this.open(words.guidelinesTitle, make("div", "guidelines", this.data.guidelines));
    if (tool === "close") this.dialog.close();
    if (!post) return;
    if (tool === "note") {
      this.note.hidden = false;
      this.note.focus();
    }
    if (tool === "open") this.card.querySelector("a.open")?.click();
    if (tool === "unfold") post.classList.toggle("folded", !post.classList.contains("folded") && this.data.current.length > FOLDED_FROM);
    if (tool === "thread") this.card.querySelector("details.thread")?.toggleAttribute("open");
    if (tool === "lookalikes") {
      this.hasLookalikes = !this.hasLookalikes;
      this.paint(this.painted === this.data.next?.post ? this.data.next : this.data.current);
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
    clearTimeout(this.drafting);
    this.drafting = setTimeout(() => this.draft(), DRAFT_MS);
  }

  draft() {
    clearTimeout(this.drafting);
    if (this.isSent || this.note.value === this.drafted || this.painted === undefined) return;
    this.drafted = this.note.value;
    this.send("drafted", { post: this.painted, note: this.drafted });
  }

  leaveNote(event) {
    if (event.isComposing) return;
    if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
      event.preventDefault();
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
