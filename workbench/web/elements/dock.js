// The keys below the post. They stay where they are, whatever is shown above them.

class Dock {
  constructor() {
    this.root = make("div", "dock");
    this.root.setAttribute("role", "group");
    this.changing = make("p", "changing");
    this.changing.hidden = true;
    this.choices = make("div", "choices");
    this.commands = make("div", "commands");
    this.root.append(this.changing, this.choices, this.commands);
  }

  // The buttons are drawn once in each language, so that they keep the focus.
  draw(data) {
    const signature = JSON.stringify([data.language, data.labels]);
    if (this.signature === signature) return;
    this.signature = signature;
    this.root.setAttribute("aria-label", data.words.dock);
    this.choices.replaceChildren(...Object.entries(data.labels).map(([key, label]) => drawChoice(key, label, data)));
    this.commands.replaceChildren(...data.tools.dock.map(([name, key, word]) => drawCommand(name, key, word)));
  }

  // Without a post there is nothing to answer; with an earlier answer chosen, the labels change that one.
  update({ hasPost, chosen, words }) {
    const isChanging = chosen !== undefined;
    this.root.classList.toggle("is-changing", isChanging);
    this.changing.hidden = !isChanging;
    if (isChanging) this.changing.replaceChildren(...drawChanging(chosen, words));
    for (const button of this.choices.children) {
      button.disabled = !hasPost && !isChanging;
      button.setAttribute("aria-pressed", String(isChanging && chosen.label === button.dataset.label));
      if (!isChanging) button.removeAttribute("aria-pressed");
    }
    for (const button of this.commands.children) {
      button.disabled = !hasPost && ["skip", "ask", "note"].includes(button.dataset.name);
    }
  }

  press(name, isPressed) {
    this.commands.querySelector(`[data-name="${name}"]`)?.setAttribute("aria-pressed", String(isPressed));
  }
}

function drawChoice(key, label, data) {
  const button = keyed(`choice ${label}`, key.toUpperCase(), data.labelWords[label]);
  Object.assign(button.dataset, { action: `answer ${label}`, label });
  return button;
}

const SENT = ["skip", "ask", "undo"]; // the others act in the page alone

function drawCommand(name, key, word) {
  const button = keyed("tool", key, word);
  button.dataset.name = name;
  button.dataset[SENT.includes(name) ? "action" : "command"] = name;
  return button;
}

function drawChanging(answer, words) {
  const text = make("span", "text", ...drawPost(answer.segments));
  return [make("b", "", words.changing), text, tool("leave", "Esc", words.back)];
}
