// A field with type-ahead: entities of one kind, as chips; with `single`, one of them.

import { details, get } from "./api.js";
import { delayed, element } from "./dom.js";

let count = 0;

export class EntityField {
  /** `change` is called with the ids whenever they change; `name` is the key of the request, for its mistakes. */
  constructor({ label, kind, name, hint, change, single = false, aside = null }) {
    Object.assign(this, { label, kind, hint, change, single });
    this.chosen = [];
    this.titles = new Map();
    this.hits = [];
    this.active = -1;
    const id = `field-${++count}`;
    this.chips = element("ul", { class: "chips", "aria-label": `${label}, chosen` });
    this.input = element("input", {
      id, role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: hint,
      "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${id}-list`,
      oninput: () => this.typed(), onkeydown: (event) => this.pressed(event),
      onblur: () => this.close(),
    });
    this.list = element("ul", { id: `${id}-list`, class: "hits", role: "listbox", "aria-label": label, hidden: true });
    // Pressed before the field loses the focus, which would close the list.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.element = element("div", { class: "field", dataset: { name } },
      element("label", { for: id, text: label }),
      element("div", { class: "line" },
        element("div", { class: "entities", onclick: () => this.input.focus() }, this.chips, this.input, this.list), aside));
    this.search = delayed(120, () => this.ask());
  }

  get ids() {
    return this.chosen;
  }

  /** Show these ids; titles that are not known are asked for. */
  show(ids) {
    this.chosen = [...ids];
    this.draw();
    for (const id of this.chosen.filter((each) => !this.titles.has(each))) this.name(id);
  }

  async name(id) {
    this.titles.set(id, id);
    try {
      this.titles.set(id, await (this.kind === "users" ? this.person(id) : details(id, this.kind).then(({ title }) => title)));
      this.draw();
    } catch {
      // An id keeps its own name; the answer warns of one that is not known.
    }
  }

  /** The name of a person, of whom the server gives no more than a search does. */
  async person(id) {
    const { hits } = await get("v1/search", { q: id.slice(0, 200), kind: this.kind, n: 50 });
    return hits.find((hit) => hit.id === id)?.title ?? id;
  }

  typed() {
    this.active = -1;
    if (this.input.value.trim()) this.search();
    else this.close();
  }

  async ask() {
    const text = this.input.value.trim();
    if (!text || document.activeElement !== this.input) return;
    this.pending?.abort();
    this.pending = new AbortController();
    try {
      const { hits } = await get("v1/search", { q: text.slice(0, 200), kind: this.kind, n: 10 }, this.pending.signal);
      this.hits = hits.filter(({ id }) => !this.chosen.includes(id)).map(({ id, title }) => ({ id, title }));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.hits = [];
    }
    if (!this.hits.some(({ id, title }) => id === text || title === text)) {
      this.hits.push({ id: text, title: text, loose: true });
    }
    this.open();
  }

  open() {
    const options = this.hits.map(({ id, title, loose }, index) =>
      element("li", { id: `${this.input.id}-${index}`, role: "option", "aria-selected": "false", onclick: () => this.choose(index) },
        element("span", { text: loose ? `“${title}” as it is` : title }),
        id !== title && element("span", { class: "muted", text: id })));
    this.list.replaceChildren(...options);
    this.list.hidden = options.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.move(this.hits.length && !this.hits[0].loose ? 0 : -1);
  }

  close() {
    this.pending?.abort();
    this.hits = [];
    this.active = -1;
    this.list.replaceChildren();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  move(index) {
    this.active = index;
    [...this.list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
    const option = this.list.children[index];
    if (option) {
      this.input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  pressed(event) {
    const last = this.hits.length - 1;
    if (event.key === "Enter") {
      event.preventDefault();
      const text = this.input.value.trim();
      if (this.active >= 0) this.choose(this.active);
      else if (text) this.add({ id: text, title: text });
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      this.close();
    } else if (event.key === "ArrowDown" && last >= 0) {
      event.preventDefault();
      this.move(this.active < last ? this.active + 1 : 0);
    } else if (event.key === "ArrowUp" && last >= 0) {
      event.preventDefault();
      this.move(this.active > 0 ? this.active - 1 : last);
    } else if (event.key === "Backspace" && !this.input.value && this.chosen.length) {
      this.remove(this.chosen.at(-1));
    }
  }

  choose(index) {
    this.add(this.hits[index]);
  }

  add({ id, title }) {
    this.titles.set(id, title);
    this.chosen = this.single ? [id] : [...this.chosen.filter((each) => each !== id), id];
    this.input.value = "";
    this.close();
    this.draw();
    this.change(this.chosen);
  }

  remove(id) {
    this.chosen = this.chosen.filter((each) => each !== id);
    this.draw();
    this.input.focus();
    this.change(this.chosen);
  }

  draw() {
    this.chips.hidden = this.chosen.length === 0;
    this.input.placeholder = this.chosen.length ? "" : this.hint;
    this.chips.replaceChildren(...this.chosen.map((id) => {
      const title = this.titles.get(id) ?? id;
      return element("li", {},
        element("span", { text: title, title: title === id ? null : id }),
        this.kind === "users" && title !== id && element("span", { class: "muted", text: id }),
        element("button", { type: "button", "aria-label": `Remove ${title}`, text: "×", onclick: () => this.remove(id) }));
    }));
  }
}
