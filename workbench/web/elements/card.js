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

function drawFacts(card, words) {
  const facts = make("div", "facts");
  for (const [word, value] of card.facts) facts.append(make("span", "", `${word} `, ...drawPost(value)));
  for (const remark of card.remarks) facts.append(make("span", "remark", remark));
  if (card.link) {
    const link = make("a", "open", words.open);
    Object.assign(link, { href: card.link, target: "_blank", rel: "noopener noreferrer", title: card.link });
    facts.append(link);
  }
  if (!facts.childNodes.length) facts.append("\u00a0");
  return facts;
}

function drawThread(card, words) {
  if (!card.before.length && !card.after.length) return undefined;
  const details = make("details", "thread", make("summary", "quiet", words.thread));
  const rows = [...card.before, undefined, ...card.after];
  for (const row of rows) {
    details.append(row ? make("p", "", make("b", "", ...drawPost(row.who)), make("span", "", ...drawPost(row.segments))) : make("p", "here", words.here));
  }
  return details;
}

function drawSuggestion(bar) {
  if (!bar) return undefined;
  const drawn = make("div", "thought");
  for (const [label, word, share] of bar) {
    const part = make("span", `label ${label}`, `${word} ${share.toFixed(2)}`);
    part.style.flexGrow = Math.max(share, 0.02);
    drawn.append(part);
  }
  return drawn;
}

function drawCard(card, words, hasLookalikes) {
  const post = make("div", "post", ...drawPost(hasLookalikes ? card.lookalikes : card.segments));
  Object.assign(post, { dir: "auto", lang: "zh", tabIndex: 0 });
  post.setAttribute("role", "article");
  post.setAttribute("aria-label", words.post);
  const drawn = [drawFacts(card, words), post];
  if (card.length > FOLDED_FROM) {
    post.classList.add("folded");
    const unfold = make("button", "fold", words.unfold.replace("{length}", card.length));
    unfold.type = "button";
    unfold.dataset.command = "unfold";
    drawn.push(unfold);
  }
  return [...drawn, drawSuggestion(card.suggestion), drawThread(card, words)].filter(Boolean);
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
