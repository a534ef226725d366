// Draws the rail: today's progress, the last answers with what can still be done about them, an excerpt of the guidelines.

function drawProgress(progress, words) {
  const [count, goal] = progress.today;
  const today = make("p", "today", make("b", "", count), goal ? ` ${goal}` : "");
  today.dataset.count = "today";
  const facts = progress.facts.map(([name, text]) => {
    const fact = make(name === "replies" ? "button" : "span", "", text);
    if (name === "replies") fact.dataset.command = "replies";
    fact.dataset.count = name;
    return fact;
  });
  return [make("h2", "", words.today), today, drawGoal(progress.share), make("p", "facts", ...facts)];
}

function drawGoal(share) {
  if (share === null) return undefined;
  const fill = make("i", "");
  fill.style.width = `${share * 100}%`;
  return make("div", "track goal", fill);
}

// The reasons that the answer may be given; none for a question to the lead.
function reasonsFor(answer, data) {
  if (!answer || (answer.label === null && answer.isFlagged)) return [];
  return data.reasons[answer.label ?? "skip"] ?? [];
}

function drawAnswer(answer, place, isChosen) {
  const label = make("span", `label ${answer.label ?? "quiet"}`, answer.word);
  const button = make("button", "answer", label, make("span", "text", ...drawPost(answer.segments)));
  button.type = "button";
  button.dataset.answer = place;
  button.setAttribute("aria-pressed", String(isChosen));
  return button;
}

// What was saved, and what can still be done about it.
function drawDetails(answer, place, data) {
  const what = make("p", "what", make("span", `label ${answer.label ?? "quiet"}`, answer.word), " ", make("span", "text", ...drawPost(answer.segments)));
  const saved = make("p", "saved", [`${data.words.saved} ✓`, ...answer.remarks].join(" · "));
  const parts = [what, saved, drawReasons(answer, place, data), place === 0 && drawCopies(answer, data)];
  if (answer.thought) parts.push(drawThought(answer, data.words));
  return parts.filter(Boolean);
}

function drawReasons(answer, place, data) {
  const reasons = reasonsFor(answer, data);
  if (!reasons.length) return undefined;
  const chips = reasons.map(([key, reason, word]) => {
    const chip = keyed("chip", key, word);
    Object.assign(chip.dataset, { action: `reason ${reason}`, of: place });
    chip.setAttribute("aria-pressed", String(answer.reason === reason));
    return chip;
  });
  const group = make("div", "chips", ...chips);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", data.words.reason);
  return group;
}

function drawCopies(answer) {
  if (!answer.copiesWord) return undefined;
  const button = keyed("tool", "P", answer.copiesWord);
  button.dataset.action = "copies";
  const rows = answer.preview.map((segments) => make("p", "", ...drawPost(segments)));
  if (answer.more) rows.push(make("p", "quiet", answer.more));
  return make("div", "copies", ...rows, button);
}

function drawThought(answer, words) {
  const thought = make("div", "view", make("p", "quiet", words.thought), drawShares(answer.thought));
  if (!answer.because?.length) return thought;
  const parts = answer.because.flatMap((segments) => [" “", ...drawPost(segments), "”"]);
  thought.append(make("p", "quiet", words.because, ...parts));
  return thought;
}

function drawExcerpt(data) {
  const more = tool("guidelines", "G", data.words.allGuidelines);
  return [make("h2", "", data.words.guidelinesTitle), make("div", "excerpt", data.guidelines), more];
}

class Rail {
  constructor() {
    this.root = make("aside", "rail");
    this.progress = make("section", "progress");
    this.list = make("ol", "answers");
    this.heading = make("h2", "");
    this.excerpt = make("section", "rules");
    this.details = make("div", "last");
    this.details.setAttribute("role", "status");
    this.below = make("div", "below");
    this.root.append(this.progress, make("section", "", this.heading, this.list), this.excerpt);
    this.isOpen = false;
    this.isWide = window.matchMedia("(min-width: 75rem)");
  }

  // `chosen` is the place of the answer that is being changed. Without one, the latest shows its details.
  draw(data, chosen) {
    const { words, answers } = data;
    this.root.setAttribute("aria-label", words.rail);
    this.heading.textContent = words.answers;
    this.progress.replaceChildren(...drawProgress(data.progress, words).filter(Boolean));
    this.excerpt.replaceChildren(...drawExcerpt(data));
    this.drawAnswers(data, chosen);
  }

  drawAnswers({ words, answers, ...data }, chosen) {
    const held = this.root.contains(document.activeElement) ? document.activeElement.dataset.answer : undefined;
    const shown = chosen ?? 0;
    const rows = answers.map((answer, place) => make("li", "", drawAnswer(answer, place, place === chosen)));
    this.list.replaceChildren(...(rows.length ? rows : [make("li", "quiet", words.noAnswers)]));
    this.details.replaceChildren(...(answers[shown] ? drawDetails(answers[shown], shown, { words, ...data }) : []));
    this.place(rows[shown]);
    if (held !== undefined) this.list.querySelector(`[data-answer="${chosen ?? held}"]`)?.focus({ preventScroll: true });
  }

  // The details stand above the dock while the rail is closed, as it is on a narrow screen.
  place(row) {
    if ((this.isWide.matches || this.isOpen) && row) row.append(this.details);
    else this.below.append(this.details);
  }
}
