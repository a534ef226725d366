// Notes that are being written, kept in the tab until the server has them: a reload may come before the next save.
// They are those of one person; `connection.js` removes them when the person signs out.

const DRAFTS = "draft:";

class Drafts {
  constructor() {
    this.notes = new Map();
  }

  // Notes of another person who used this tab are removed.
  belongTo(person) {
    if (this.prefix === `${DRAFTS}${person}:`) return;
    this.prefix = `${DRAFTS}${person}:`;
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(DRAFTS) && !key.startsWith(this.prefix)) sessionStorage.removeItem(key);
    }
  }

  of(post) {
    return this.notes.get(post) ?? sessionStorage.getItem(this.prefix + post) ?? undefined;
  }

  keep(post, note) {
    this.notes.set(post, note);
    sessionStorage.setItem(this.prefix + post, note);
  }

  end(post) {
    this.notes.delete(post);
    sessionStorage.removeItem(this.prefix + post);
  }
}
