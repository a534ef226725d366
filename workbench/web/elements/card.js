// Draws a post. Text from people is inserted as text nodes and never parsed as HTML.

const FOLDED_FROM = 700; // characters

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

function drawPost(segments) {
  return segments.map(([kind, text, title]) => {
    if (kind === "text") return text;
    const span = make("span", kind, text);
    if (title) span.title = title;
    return span;
  });
}

// A button with the key that does the same. Its name is the word alone.
function keyed(className, key, word) {
  const cap = make("kbd", "", key);
  cap.setAttribute("aria-hidden", "true");
  const button = make("button", className, cap, make("span", "", word));
  button.type = "button";
  button.setAttribute("aria-keyshortcuts", key);
  return button;
}

function tool(command, key, word) {
  const button = keyed("tool", key, word);
  button.dataset.command = command;
  return button;
}

function hasThread(card) {
  return card.before.length > 0 || card.after.length > 0;
}

function drawFacts(card, words) {
  const facts = make("div", "facts");
  for (const [word, value] of card.facts) facts.append(make("span", "", `${word} `, ...drawPost(value)));
  for (const remark of card.remarks) facts.append(make("span", "remark", remark));
  if (card.link) {
    const link = make("a", "open", make("kbd", "", "O"), words.open);
    Object.assign(link, { href: card.link, target: "_blank", rel: "noopener noreferrer", title: card.link });
    facts.append(link);
  }
  if (!facts.childNodes.length) facts.append("\u00a0");
  return facts;
}

function drawThread(card, words, isOpen) {
  const thread = make("div", "thread");
  thread.hidden = !isOpen;
  for (const row of [...card.before, undefined, ...card.after]) {
    thread.append(row ? make("p", "", make("b", "", ...drawPost(row.who)), make("span", "", ...drawPost(row.segments))) : make("p", "here", words.here));
  }
  return thread;
}

// Each part is as wide as its share: 0.03 looks like 3%.
function drawShares(bar) {
  const rows = bar.map(([label, word, share]) => {
    const fill = make("i", label);
    fill.style.width = `${share * 100}%`;
    return make("div", "share", make("span", "", word), make("span", "track", fill), make("span", "number", `${Math.round(share * 100)}%`));
  });
  return make("div", "shares", ...rows);
}

// `view`: whether look-alikes are marked and the thread is open.
function drawCard(card, words, view) {
  const post = make("div", "post", ...drawPost(view.lookalikes ? card.lookalikes : card.segments));
  Object.assign(post, { dir: "auto", lang: "zh", tabIndex: 0 });
  post.setAttribute("role", "article");
  post.setAttribute("aria-label", words.post);
  const drawn = [post];
  if (card.length > FOLDED_FROM) {
    post.classList.add("folded");
    drawn.push(tool("unfold", "E", words.unfold.replace("{length}", card.length)));
  }
  if (card.suggestion) drawn.push(drawShares(card.suggestion));
  return hasThread(card) ? [...drawn, drawThread(card, words, view.thread)] : drawn;
}

// The rulings below the guidelines, with a link to them above the text.
function drawGuidelines(data) {
  const text = make("div", "guidelines", data.guidelines);
  if (!data.rulings.length) return [text];
  const title = data.words.rulings.replace("{count}", data.rulings.length);
  const rulings = make("div", "rulings", make("h3", "", title));
  for (const one of data.rulings) {
    const summary = make("summary", "", make("b", "", one.title), " ", make("span", `label ${one.label}`, one.word));
    rulings.append(make("details", "", summary, make("div", "", one.kind), make("div", "quiet", one.facts)));
  }
  const link = make("button", "link", title);
  link.type = "button";
  link.addEventListener("click", () => {
    rulings.querySelector("details").open = true;
    rulings.scrollIntoView({ block: "start" });
  });
  return [link, text, rulings];
}
