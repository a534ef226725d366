// The annotator's desk: the post on screen, and one action for each post that was seen. A held key is one press. Every
// other press is carried out, kept until the server has answered, or visibly refused: within SEEN_MS of a new post,
// without a connection, behind a dialog.
//
// The next post is prefetched: it is painted when an answer is sent, and stays if the server agrees.

const SEEN_MS = 250;
// Without a response for this long (the connection dropped), a press may be repeated; the server accepts each turn once.
const LOST_MS = 5000;
const DRAFT_MS = 600;
// After the text field has closed, keys count again once no key was pressed for this long.
const RESTING_MS = 1500;

// How long the page says why it refused a press.
const TELL_MS = 3000;

const COMMANDS = { KeyS: "skip", KeyU: "undo", KeyF: "ask", KeyP: "copies" };
const TOOLS = {
  KeyN: "note", KeyG: "guidelines", KeyO: "open", KeyE: "unfold", KeyL: "lookalikes", KeyB: "blur", KeyT: "thread", KeyM: "rail",
};
const SWITCHES = ["thread", "lookalikes", "blur"];
const LEAVES = /^(skip|ask|answer)\b/; // actions that bring the next post

function isTyping(event) {
  const target = event.composedPath()[0];
  const isField = target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
  return isField || event.isComposing;
}

function cover() {
  return document.querySelector("dialog[open], [role=dialog]");
}

// Set by connection.js.
function isAway() {
  return "away" in document.documentElement.dataset;
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

// `reason 4` names the key: which reason it stands for depends on the answer.
function actionOf(event, data, isChanging) {
  if (isNavigation(event)) return undefined;
  const sign = signOf(event);
  const label = data.labels[sign];
  if (label) return event.shiftKey || isChanging ? `change ${label}` : `answer ${label}`;
  if (event.code === "KeyF" && (event.shiftKey || isChanging)) return "flag";
  if (event.shiftKey) return undefined;
  if (/^[4-9]$/.test(sign)) return `reason ${sign}`;
  return COMMANDS[event.code];
}

class Desk {
  constructor(parent) {
    this.drafts = new Drafts();
    this.root = make("div", "desk");
    this.stage = make("section", "stage");
    this.heading = make("h1", "");
    this.summary = make("p", "summary");
    this.facts = make("div", "about");
    this.tools = make("div", "tools");
    this.tools.setAttribute("role", "toolbar");
    this.card = make("div", "card");
    this.note = make("textarea", "note");
    Object.assign(this.note, { hidden: true, rows: 2, maxLength: 2000 });
    this.warning = make("div", "lost");
    this.warning.setAttribute("role", "alert");
    this.warning.hidden = true;
    this.notice = make("div", "notice");
    this.notice.setAttribute("role", "status");
    this.live = make("div", "live");
    this.live.setAttribute("aria-live", "polite");
    this.rail = new Rail();
    this.dock = new Dock();
    this.dialog = make("dialog", "sheet");
    const head = make("div", "head", this.facts, this.tools);
    this.stage.append(make("div", "top title", this.heading, this.summary), head, this.card, this.note, this.warning, this.notice, this.rail.below);
    this.root.append(this.stage, this.rail.root, this.dock.root, this.live, this.dialog);
    parent.append(this.root);
    this.view = { thread: false, lookalikes: false };
    this.listeners = [
      [document, "keydown", (event) => this.press(event), false],
      [document, "click", (event) => this.click(event), true],
      [this.note, "input", () => this.draftSoon(), false],
      [this.note, "blur", () => this.draft(), false],
      [this.note, "keydown", (event) => this.leaveNote(event), false],
      [this.rail.isWide, "change", () => this.drawAround(), false],
      [this.root, "animationend", (event) => event.target.classList.remove("refused"), false],
    ];
    for (const [on, name, listener, capture] of this.listeners) on.addEventListener(name, listener, capture);
    // What stands above may go: the steps of a first visit, for example.
    this.resizing = new ResizeObserver(() => this.fillWindow());
    this.resizing.observe(this.root.parentElement.closest(".stMainBlockContainer") ?? document.body);
  }

  // The desk ends where the window ends, whatever stands above it.
  fillWindow() {
    const scrolled = document.querySelector(".stMain")?.scrollTop ?? 0;
    this.root.style.setProperty("--above", `${this.root.getBoundingClientRect().top + scrolled}px`);
  }

  // A new turn is a new post, or the current one after a refusal; only then the next action is accepted.
  show(data, send) {
    const before = this.data;
    this.send = send;
    this.data = data;
    this.drafts.belongTo(data.person);
    this.drawTools();
    if (data.session === before?.session && data.turn === before.turn) this.refresh(data.current);
    else this.turnFrom(before);
  }

  turnFrom(before) {
    const { data, kept } = this;
    const sent = this.isSent ? this.sentPress : undefined;
    const isSaved = sent !== undefined && data.session === before.session && data.turn === before.turn + 1;
    this.kept = this.chosen = undefined;
    if (isSaved && data.current?.post !== sent.post) this.drafts.end(sent.post);
    // A restarted server did not receive the press and shows the post again.
    this.warn(sent !== undefined && !isSaved && data.current?.post === sent.post ? data.words.lost : "");
    if (before === undefined || data.current?.post !== this.painted) this.paint(data.current);
    else this.redraw(data.current);
    this.drawAround();
    if (sent?.isByButton && data.current) this.card.querySelector(".post").focus({ preventScroll: true });
    // Near-copies that were just listed need time to be read, as a new post does.
    this.readAt = performance.now() + (sent?.action === "copies" ? 4 * SEEN_MS : 0);
    this.rest(Math.max(this.unseen(), this.readAt - performance.now()));
    if (kept) this.release(kept, isSaved);
  }

  // A redraw within a turn: a saved note changes nothing; a lost claim brings another post.
  refresh(current) {
    if (this.isSent) return;
    if (current && this.drafts.of(current.post) === current.note) this.drafts.end(current.post);
    if (current?.post !== this.painted) {
      this.paint(current);
      this.rest(this.unseen());
    }
    this.drawAround();
  }

  unseen() {
    return Math.max(0, SEEN_MS - (performance.now() - this.paintedAt));
  }

  // Shows another post. The note typed for the previous one is kept for it.
  paint(card) {
    const wasTyping = document.activeElement === this.note;
    clearTimeout(this.drafting);
    this.view = { thread: false, lookalikes: false };
    this.painted = card?.post;
    this.paintedAt = performance.now();
    this.redraw(card);
    this.live.textContent = card ? card.segments.map(([, text]) => text).join("") : "";
    this.showNote(card);
    if (wasTyping) {
      this.note.blur();
      this.restUntil = performance.now() + RESTING_MS;
      this.warn(this.data.words.moved);
    }
    this.root.classList.toggle("blurred", localStorage.getItem("blur") === "on");
  }

  showNote(card) {
    const written = this.drafts.of(card?.post);
    if (card && written === card.note) this.drafts.end(card.post);
    this.drafted = card?.note ?? "";
    this.note.value = written ?? this.drafted;
    this.note.hidden = !this.note.value;
    this.note.setAttribute("aria-label", this.data.words.note);
    this.note.placeholder = this.data.words.note;
    // Written just before a reload: the server does not have it yet.
    if (this.note.value !== this.drafted) this.drafting = setTimeout(() => this.draft(), DRAFT_MS);
  }

  // Redraws the post in place; it stays unfolded.
  redraw(card) {
    const isUnfolded = this.drawn === card?.post && this.card.querySelector(".post:not(.folded)") !== null;
    this.drawn = card?.post;
    this.facts.replaceChildren(...(card ? [drawFacts(card, this.data.words)] : []));
    this.card.replaceChildren(...(card ? drawCard(card, this.data.words, this.view) : []));
    if (isUnfolded) this.card.querySelector(".post")?.classList.remove("folded");
    this.tools.hidden = !card;
    this.markTools(card);
  }

  markTools(card) {
    const states = { ...this.view, blur: localStorage.getItem("blur") === "on" };
    for (const name of SWITCHES) this.toolOf(name)?.setAttribute("aria-pressed", String(states[name]));
    const thread = this.toolOf("thread");
    if (thread) thread.disabled = !card || !hasThread(card);
  }

  toolOf(name) {
    return this.tools.querySelector(`[data-command=${name}]`);
  }

  drawTools() {
    this.dock.draw(this.data);
    if (this.tools.lang === this.data.language) return;
    this.tools.lang = this.data.language;
    this.tools.setAttribute("aria-label", this.data.words.view);
    this.heading.textContent = this.data.words.page;
    this.tools.replaceChildren(...this.data.tools.card.map(([name, key, word]) => tool(name, key, word)));
  }

  // The rail, the dock and the notices: what stands around the post.
  drawAround() {
    const { data, chosen } = this;
    this.summary.replaceChildren(...drawSummary(data));
    this.rail.draw(data, chosen);
    this.dock.update({ hasPost: Boolean(data.current), chosen: data.answers[chosen], words: data.words });
    this.stage.classList.toggle("is-changing", chosen !== undefined);
    if (!data.current) this.card.replaceChildren(...drawEmpty(data.empty));
    if (this.telling === undefined) this.tell(data.notice ?? "");
  }

  // "ready" accepts an answer; "new" and "sent" accept none and time out.
  become(state, milliseconds) {
    clearTimeout(this.timer);
    this.isSent = state === "sent";
    document.documentElement.dataset.keys = state;
    if (state === "ready") return;
    this.timer = setTimeout(() => (this.isSent ? this.takeBack() : this.become("ready")), milliseconds);
  }

  rest(milliseconds) {
    this.become(milliseconds > 0 ? "new" : "ready", milliseconds);
  }

  press(event) {
    if (event.repeat || isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actionOf(event, this.data, this.chosen !== undefined);
    const command = this.commandOf(event);
    if (action === undefined && command === undefined) return;
    const covering = cover();
    if (covering && covering === this.dialog && command === this.opened) return this.use("close", event);
    if (covering) return event.code === "Escape" ? undefined : this.refuseBehind(covering);
    // The person is still typing into a field that has just closed.
    if (performance.now() < this.restUntil) {
      this.restUntil = performance.now() + RESTING_MS;
      return this.refuse(action, this.data.words.resting);
    }
    if (action === undefined) return this.use(command, event);
    event.preventDefault();
    this.request(action, false, this.chosen ?? 0);
  }

  commandOf(event) {
    if (isHelp(event)) return "help";
    if (event.shiftKey) return undefined;
    if (event.code === "Space" && this.root.classList.contains("blurred")) return "reveal";
    if (event.code === "Escape" && (this.chosen !== undefined || this.root.classList.contains("is-open"))) return "leave";
    if (/^Arrow(Up|Down)$/.test(event.code) && this.mayChoose()) return event.code === "ArrowUp" ? "up" : "down";
    return TOOLS[event.code];
  }

  // Arrow keys scroll a long post that has the focus, and belong to other elements of the page that have it.
  mayChoose() {
    const focused = document.activeElement;
    if (focused === null || focused === document.body) return true;
    const isScrolled = focused.scrollHeight > focused.clientHeight + 1 && focused.matches(".post");
    return this.root.contains(focused) && !isScrolled;
  }

  // Carries a press out, keeps it until the server has answered, or refuses it.
  request(action, isByButton, of) {
    if (isAway()) return this.refuse(action, this.data.words.away);
    if (this.isSent) return this.keep(action);
    const objection = this.objectionTo(action, of);
    if (objection) return this.refuse(action, objection);
    this.act(action, isByButton, of);
  }

  objectionTo(action, of) {
    const { data } = this;
    const { words } = data;
    const [command, subject] = action.split(" ");
    if (command === "bring-back") return undefined;
    if (this.chosen !== undefined && (LEAVES.test(action) || command === "undo")) return words.leaveFirst;
    if (command === "undo") return undefined;
    if (LEAVES.test(action)) return data.current ? this.unseen() > 0 && words.early : words.nothing;
    const answer = data.answers[of];
    if (answer === undefined) return words.nothing;
    if (command === "change") return answer.label === null ? words.skipped : answer.label === subject && words.already;
    if (command === "reason") return this.reasonOf(action, of) === undefined && words.nothing;
    if (command === "flag") return answer.isFlagged && words.nothing;
    if (of !== 0 || !answer.copiesWord) return words.nothing;
    return performance.now() < this.readAt && words.early;
  }

  // `reason 4` with the reason that the key stands for; undefined if the answer may not be given it.
  reasonOf(action, of) {
    const sign = action.slice("reason ".length);
    const reasons = reasonsFor(this.data.answers[of], this.data);
    return reasons.find(([key, reason]) => key === sign || reason === sign)?.[1];
  }

  act(action, isByButton, of) {
    clearTimeout(this.drafting);
    const { data } = this;
    const reason = action.startsWith("reason ") ? this.reasonOf(action, of) : undefined;
    const press = {
      post: data.current?.post ?? null,
      turn: data.turn,
      action: reason === undefined ? action : `reason ${reason}`,
      note: this.note.value,
      answer: of,
      of: data.answers[of]?.post ?? null,
    };
    this.sentPress = { ...press, isByButton };
    this.tell("");
    this.become("sent", LOST_MS);
    if (LEAVES.test(action) && data.current) this.paint(data.next);
    this.send("pressed", press);
  }

  // A press while an answer is on its way: for the post that is painted already and was seen, or about that answer.
  keep(action) {
    const { words } = this.data;
    const isLeaving = LEAVES.test(action);
    if (isLeaving && this.painted !== this.data.current?.post && this.unseen() > 0) return this.refuse(action, words.early);
    const isNextPainted = this.painted !== undefined && this.painted !== this.sentPress.post;
    if (this.kept || this.chosen !== undefined || !LEAVES.test(this.sentPress.action) || (isLeaving && !isNextPainted)) {
      return this.refuse(action, words.busy);
    }
    this.kept = isLeaving ? { action, post: this.painted } : { action, of: this.sentPress.post };
  }

  release({ action, post, of }, isSaved) {
    const { current, answers } = this.data;
    const isMeant = post === undefined ? answers[0]?.post === of : current?.post === post;
    if (isSaved && isMeant) this.request(action, false, 0);
    else this.refuse(action, this.data.words.busy);
  }

  // No response: the post painted in advance is not the server's current one.
  takeBack() {
    const { kept } = this;
    this.kept = undefined;
    if (this.painted !== this.data.current?.post) this.paint(this.data.current);
    this.warn(this.data.words.lost);
    this.rest(this.unseen());
    if (kept) this.refuse(kept.action, this.data.words.lost);
  }

  warn(words) {
    this.warning.textContent = words;
    this.warning.hidden = !words;
  }

  refuse(action, words) {
    flash(this.buttonOf(action) ?? this.dock.root);
    this.tell(words);
    this.telling = setTimeout(() => this.tell(this.data.notice ?? ""), TELL_MS);
  }

  buttonOf(action) {
    const name = action?.startsWith("change ") ? action.replace("change", "answer") : action;
    return [...this.root.querySelectorAll("[data-action]")].find((button) => button.dataset.action === name);
  }

  refuseBehind(covering) {
    flash(covering);
    this.live.textContent = this.data.words.covered;
  }

  tell(words) {
    clearTimeout(this.telling);
    this.telling = undefined;
    if (this.notice.textContent !== words) this.notice.textContent = words;
  }

  // Buttons follow the same rule and send the press with the note.
  click(event) {
    const button = event.target.closest?.(".desk :is([data-command], [data-action], [data-answer])");
    if (!button || button.disabled) return;
    const { command, action, answer, of } = button.dataset;
    if (command) return this.use(command, event);
    event.preventDefault();
    event.stopPropagation();
    if (answer !== undefined) return this.choose(Number(answer) === this.chosen ? undefined : Number(answer));
    if (event.detail > 1) return this.refuse(action, this.data.words.early);
    const isChange = this.chosen !== undefined && action.startsWith("answer ");
    this.request(isChange ? action.replace("answer", "change") : action, true, of === undefined ? (this.chosen ?? 0) : Number(of));
  }

  // The label keys change the chosen answer; undefined returns to the post.
  choose(place) {
    if (this.isSent) return this.refuse(undefined, this.data.words.busy);
    if (place !== undefined && !this.data.answers[place]) return this.refuse(undefined, this.data.words.nothing);
    this.chosen = place;
    if (place !== undefined && !this.rail.isWide.matches) this.toggleRail(true);
    this.drawAround();
    if (place === undefined) this.rest(this.unseen());
  }

  toggleRail(isOpen) {
    this.root.classList.toggle("is-open", isOpen);
    this.dock.press("rail", isOpen);
    this.rail.isOpen = isOpen;
    this.rail.draw(this.data, this.chosen);
  }

  use(command, event) {
    event.preventDefault();
    const { words } = this.data;
    if (command === "help") return this.open(command, words.helpTitle, ...this.data.help.map(drawKey));
    if (command === "guidelines") return this.open(command, words.guidelinesTitle, ...drawGuidelines(this.data));
    if (command === "close") return this.dialog.close();
    if (command === "rail") return this.toggleRail(!this.root.classList.contains("is-open"));
    if (command === "replies") return document.querySelector(".st-key-replies")?.scrollIntoView({ block: "start" });
    if (command === "leave") {
      this.toggleRail(false);
      return this.choose(undefined);
    }
    if (command === "up") return this.choose(this.chosen ? this.chosen - 1 : undefined);
    if (command === "down") return this.choose(Math.min((this.chosen ?? -1) + 1, this.data.answers.length - 1));
    if (this.drawn === undefined) return this.refuse(undefined, words.nothing);
    this.useOnPost(command);
  }

  useOnPost(command) {
    const post = this.card.querySelector(".post");
    const card = this.painted === this.data.current?.post ? this.data.current : this.data.next;
    if (command === "note") {
      this.note.hidden = false;
      return this.note.focus();
    }
    if (command === "reveal") return this.root.classList.remove("blurred");
    if (command === "unfold" && card.length > FOLDED_FROM) return post.classList.toggle("folded");
    if (command === "open" && card.link) return this.facts.querySelector("a.open").click();
    if (command === "blur") localStorage.setItem("blur", this.root.classList.toggle("blurred") ? "on" : "off");
    else if (command === "lookalikes" || (command === "thread" && hasThread(card))) this.view[command] = !this.view[command];
    else return this.refuse(undefined, this.data.words.nothing);
    this.redraw(card);
  }

  open(command, title, ...content) {
    const close = tool("close", "Esc", this.data.words.close);
    const heading = make("h2", "", title);
    // Read from the beginning: the first button would take the focus, and it is at the end.
    Object.assign(heading, { tabIndex: -1, autofocus: true });
    this.opened = command;
    this.dialog.replaceChildren(make("div", "desk sheet-text", heading, ...content, close));
    this.dialog.setAttribute("aria-label", title);
    if (!this.dialog.open) this.dialog.showModal();
  }

  draftSoon() {
    this.drafts.keep(this.painted, this.note.value);
    clearTimeout(this.drafting);
    this.drafting = setTimeout(() => this.draft(), DRAFT_MS);
  }

  draft() {
    clearTimeout(this.drafting);
    if (this.painted === undefined || this.note.value === this.drafted) return;
    // While an answer is in flight, the server has not moved on to this post yet.
    if (this.isSent || isAway()) return this.draftSoon();
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
    clearTimeout(this.telling);
    this.resizing.disconnect();
    delete document.documentElement.dataset.keys;
    for (const [on, name, listener, capture] of this.listeners) on.removeEventListener(name, listener, capture);
    this.root.remove();
  }
}

// Restarts the animation of a refused press.
function flash(element) {
  element.classList.remove("refused");
  void element.offsetWidth;
  element.classList.add("refused");
}

function drawKey([key, what]) {
  return make("p", "key-line", make("span", "", ...key.split(" ").map((part) => (/^[–]$/.test(part) ? part : make("kbd", "", part)))), make("span", "", what));
}

function drawSummary({ progress, words }) {
  const [count, goal] = progress.today;
  const pace = progress.facts.find(([name]) => name === "pace");
  return [make("span", "", `${words.today} `, make("b", "", count), goal ? ` ${goal}` : ""), drawGoal(progress.share), pace && make("span", "quiet", pace[1])].filter(Boolean);
}

function drawEmpty({ title, lines, action }) {
  const parts = [make("h2", "", title), ...lines.map((line) => make("p", "", line))];
  if (action?.link) parts.push(Object.assign(make("a", "do", action.word), { href: action.link }));
  if (action?.action) {
    const button = make("button", "do", action.word);
    button.type = "button";
    button.dataset.action = action.action;
    parts.push(button);
  }
  return [make("div", "empty", ...parts)];
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
