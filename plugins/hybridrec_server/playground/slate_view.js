// One pipeline: its name, its weights as sliders, and its slate with a bar for each place.

import { sentence } from "./api.js";
import { element, icon, short, unseen } from "./dom.js";

const HEART = "M8 14 2.6 8.6a3.4 3.4 0 0 1 4.8-4.8l.6.6.6-.6a3.4 3.4 0 0 1 4.8 4.8Z";
const CROSSED = "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2ZM3.8 3.8l8.4 8.4";
const COLOURS = 10;
const nearest = (event) => event.target.closest("li[data-id]");

export class SlateView {
  /**
   * `side` is "left" or "right". Calls `choose(name)`, `weigh(weights or null)`, `act(place, kind)`, `more()`,
   * `inspect(id)` -> details of an item, `use(place)`, and `point(id)` at the row that is looked at.
   */
  constructor(side, calls) {
    Object.assign(this, { side, calls });
    this.open = new Set();
    this.select = element("select", { class: "name", "aria-label": `Pipeline on the ${side}`, onchange: () => calls.choose(this.select.value) });
    this.parts = element("p", { class: "muted parts" });
    this.weights = element("div", { class: "weights" });
    this.notes = element("div", { class: "notes" });
    this.list = element("ol", { class: "places", onkeydown: (event) => this.pressed(event), onfocusin: (event) => this.entered(event) });
    for (const [name, row] of [["mouseover", nearest], ["mouseleave", () => null], ["focusin", nearest], ["focusout", () => null]]) {
      this.list.addEventListener(name, (event) => calls.point(row(event)?.dataset.id));
    }
    this.more = element("button", { type: "button", class: "more", text: "More", hidden: true, onclick: () => calls.more() });
    this.element = element("section", { class: "card slate", dataset: { side }, "aria-label": `Slate on the ${side}` },
      element("div", { class: "head" }, this.select, this.parts), this.weights, this.notes,
      element("div", { class: "body" }, this.list, this.more));
  }

  /** Offer these pipelines, and give each label of the bundle its colour. */
  offer(server) {
    this.server = server;
    this.select.replaceChildren(...server.pipelines.map(({ name }) => element("option", { value: name, text: name })));
    const labels = [...new Set([...server.pipelines.flatMap(({ generators, scorers }) => [...generators, ...scorers]), ...server.components])];
    this.colours = new Map(labels.map((label, index) => [label, `c${(index % COLOURS) + 1}`]));
  }

  colour(label) {
    return this.colours.get(label) ?? "c0";
  }

  busy(busy) {
    this.element.setAttribute("aria-busy", String(busy));
  }

  /**
   * Draw a slate. `marks`: id -> places above the other slate, or null; `other`: the name of that one; `fresh`: ids
   * that came with the last act; `acts`: id -> what the person did; `extent` of all bars; `weights`: those
   * that were moved, or null.
   */
  show({ pipeline, answer, slate, weights, marks, other, fresh, acts, extent, since, more }) {
    this.select.value = pipeline;
    const details = this.server.pipelines.find(({ name }) => name === pipeline);
    const shared = [...marks.values()].filter((by) => by !== null).length;
    const overlap = marks.size ? ` · ${shared} of ${marks.size} also in ${other}` : "";
    this.parts.textContent = answer ? `served by ${answer.served_by}${overlap}` : "";
    this.drawWeights(answer, weights);
    this.notes.replaceChildren(...this.remarks(answer, details, weights, since));
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    const held = focused && { id: focused.closest("li").dataset.id, act: focused.dataset.act, row: this.rows().indexOf(focused.closest("li")) };
    this.list.replaceChildren(...slate.map((place) => this.place(place, { marks, other, fresh, acts, extent })));
    if (!slate.length && answer) this.list.replaceChildren(element("li", { class: "none muted", text: "There is nothing to recommend." }));
    this.more.hidden = !more;
    const rows = this.rows();
    if (rows.length) this.step(rows[0], false);
    if (held && rows.length) {
      const row = rows.find(({ dataset }) => dataset.id === held.id) ?? rows[Math.min(held.row, rows.length - 1)];
      this.step(row, true, held.act);
    }
  }

  remarks(answer, details, weights, since) {
    const said = [];
    if (answer?.degraded) said.push(element("p", { class: "note", text: "This is not the pipeline's own answer: that one was late or failed." }));
    if (details?.left_out.length) said.push(element("p", { class: "note", text: `Left out for now, since it failed or hung: ${details.left_out.join(", ")}.` }));
    for (const { code, message } of answer?.warnings ?? []) {
      said.push(element("p", { class: code === "unknown_user" ? "muted" : "note", text: sentence(message) }));
    }
    if (weights && details?.rerankers.length > 1) {
      said.push(element("p", { class: "note", text: `Ranked by the sum alone, without ${details.rerankers.slice(1).join(", ")}.` }));
    }
    if (since) said.push(element("p", { class: "since", text: since }));
    return said;
  }

  drawWeights(answer, weights) {
    const served = Object.entries(answer?.candidates.weights ?? {});
    this.weights.hidden = answer === null;
    if (served.length < 2 || !answer.candidates.ids.length) {
      this.drawn = null;
      this.weights.replaceChildren(element("p", { class: "muted", text: weightless(answer) }));
      return;
    }
    const labels = served.map(([label]) => label).join("\n");
    // Sliders of the same labels stay: one of them may be held by a hand or key.
    if (this.drawn !== labels) {
      this.drawn = labels;
      this.ranges = new Map();
      this.reset = element("button", { type: "button", class: "quiet", text: "As served", onclick: () => this.calls.weigh(null) });
      const rows = served.map(([label]) => this.range(label));
      this.weights.replaceChildren(element("div", { class: "heading" }, element("h3", { text: "Weights" }), this.reset), element("div", { class: "ranges" }, ...rows));
    }
    const shown = served.map(([label, weight]) => [label, weights?.[label] ?? weight]);
    const sizes = [...served.map(([, weight]) => 2 * Math.abs(weight)), ...shown.map(([, weight]) => Math.abs(weight))];
    const falls = [...served, ...shown].some(([, weight]) => weight < 0);
    for (const [label, weight] of shown) this.weigh(label, weight, Math.max(...sizes) || 1, falls);
    this.reset.disabled = !weights;
  }

  range(label) {
    const output = element("output", {});
    const input = element("input", { type: "range", "aria-label": `Weight of ${label}`, oninput: () => {
      output.textContent = short(input.valueAsNumber);
      this.calls.weigh(Object.fromEntries([...this.ranges].map(([name, each]) => [name, Number(each.input.valueAsNumber.toPrecision(4))])));
    } });
    this.ranges.set(label, { input, output });
    return element("label", { class: `range ${this.colour(label)}` }, element("span", { class: "key", text: label }), input, output);
  }

  weigh(label, weight, most, falls) {
    const { input, output } = this.ranges.get(label);
    input.min = falls ? -most : 0;
    input.max = most;
    input.step = "any";
    if (input.valueAsNumber !== weight) input.value = weight;
    input.style.setProperty("--at", (weight - input.min) / (most - input.min));
    input.setAttribute("aria-valuetext", short(weight));
    output.textContent = short(weight);
  }

  place(place, { marks, other, fresh, acts, extent }) {
    const opened = this.open.has(place.id);
    const number = `${this.side}-${place.place}`;
    const details = element("div", { class: "details", id: `${number}-details`, hidden: !opened });
    const title = element("button", {
      type: "button", class: "title", dataset: { act: "open" }, tabindex: -1, "aria-expanded": String(opened), "aria-controls": details.id,
      onclick: () => this.toggle(place, title, details),
      title: place.title,
    }, element("bdi", { text: place.title }), fresh.has(place.id) && unseen(", new"));
    const acting = (kind, path, label) => element("button", {
      type: "button", class: `act ${kind}`, dataset: { act: kind }, tabindex: -1, title: label, "aria-label": `${label} ${place.title}`,
      "aria-pressed": String(acts.get(place.id)?.kind === kind), onclick: () => this.calls.act(place, kind),
    }, icon(path));
    if (opened) this.fill(place, details);
    return element("li", { dataset: { id: place.id }, class: fresh.has(place.id) ? "fresh" : null },
      element("span", { class: "number", text: place.place }),
      title,
      element("span", { class: "score", text: place.score === null ? "" : short(place.score), title: "score" }),
      element("span", { class: "mark" }, this.mark(marks.get(place.id), other)),
      element("span", { class: "acts" }, acting("like", HEART, "Like"), acting("dislike", CROSSED, "Dislike")),
      element("span", { class: "sources", title: "proposed by" }, ...this.sources(place)),
      this.bar(place, extent),
      details);
  }

  sources({ sources }) {
    const labels = sources.length ? sources : ["fallback"];
    return [unseen("proposed by "), ...labels.map((label) => element("span", { class: `key ${this.colour(label)}`, text: label }))];
  }

  mark(by, other) {
    if (by === undefined || by === 0) return null;
    if (by === null) return element("span", { class: "only", title: `${other} does not have it` }, "only here");
    const words = `${Math.abs(by)} ${by > 0 ? "higher" : "lower"} than in ${other}`;
    return element("span", { class: by > 0 ? "higher" : "lower", title: words }, element("span", { "aria-hidden": "true", text: `${by > 0 ? "↑" : "↓"}${Math.abs(by)}` }), unseen(words));
  }

  bar(place, { above, below }) {
    const whole = above + below;
    const words = place.contributions.map(({ label, value }) => `${label} ${short(value)}`).join(", ");
    if (!words) return null;
    const bar = element("span", { class: "bar", role: "img", "aria-label": words });
    let [left, right] = [below, below];
    for (const { label, value } of place.contributions) {
      const size = Math.abs(value);
      const piece = element("span", { class: `piece ${this.colour(label)}`, title: `${label} ${short(value)}` });
      // Set by script, not by an attribute: the policy of the page forbids inline styles.
      piece.style.setProperty("--from", (value < 0 ? left - size : right) / whole);
      piece.style.setProperty("--size", size / whole);
      if (value < 0) left -= size;
      else right += size;
      bar.append(piece);
    }
    if (below) {
      const zero = element("span", { class: "zero" });
      zero.style.setProperty("--from", below / whole);
      bar.append(zero);
    }
    return bar;
  }

  toggle(place, title, details) {
    details.hidden = !details.hidden;
    title.setAttribute("aria-expanded", String(!details.hidden));
    if (details.hidden) this.open.delete(place.id);
    else {
      this.open.add(place.id);
      this.fill(place, details);
    }
  }

  async fill(place, details) {
    const { answer, weights } = this.calls.current();
    const { candidates } = answer;
    const index = candidates.ids.indexOf(place.id);
    const weigh = { ...candidates.weights, ...weights };
    const weighed = place.contributions.some(({ label }) => label in weigh);
    const number = (value) => element("td", { class: "number", text: value === undefined || value === null ? "" : short(value) });
    const rows = place.contributions.map(({ label, value }) => element("tr", {},
      element("th", { scope: "row" }, element("span", { class: `key ${this.colour(label)}`, text: label })),
      ...(weighed ? [number(weigh[label]), number(candidates.columns[label]?.[index])] : []), number(value)));
    const heads = weighed ? ["model", "weight", "opinion", "summand"] : ["model", "summand"];
    const table = rows.length > 0 && element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map((text, column) =>
        element("th", { scope: "col", class: column ? "number" : null, text })))),
      element("tbody", {}, ...rows),
      rows.length > 1 && element("tfoot", {}, element("tr", {}, element("th", { scope: "row", colspan: heads.length - 1, text: "sum" }),
        number(place.contributions.reduce((sum, { value }) => sum + value, 0)))));
    const facts = element("dl", {});
    details.replaceChildren(...[table, facts, element("button", { type: "button", text: "Add to what is known", onclick: () => this.calls.use(place) })].filter(Boolean));
    const item = await this.calls.inspect(place.id);
    if (!item) return;
    const told = { id: item.id === item.title ? [] : [item.id], ...item.entities };
    for (const [name, value] of Object.entries(item.features)) told[name] = value === null ? [] : [value].flat();
    if (item.count !== null) told["had by"] = [`${item.count} ${item.count === 1 ? "person" : "people"}`];
    facts.replaceChildren(...Object.entries(told).filter(([, values]) => values.length).flatMap(([name, values]) => [
      element("dt", { text: name }), element("dd", { text: values.slice(0, 12).join(" · ") + (values.length > 12 ? " …" : "") })]));
  }

  /** Mark the row of this id, where there is one; the person looks at it on the other side. */
  point(id) {
    for (const row of this.rows()) row.classList.toggle("twin", row.dataset.id === id);
  }

  rows() {
    return [...this.list.querySelectorAll("li[data-id]")];
  }

  /** Let this row alone be reached by the tab key; with `focus`, go there. */
  step(row, focus, act = "open") {
    for (const button of this.list.querySelectorAll("[data-act]")) button.tabIndex = row.contains(button) ? 0 : -1;
    if (focus) row.querySelector(`[data-act=${act}]`)?.focus();
  }

  entered(event) {
    const row = event.target.closest("li[data-id]");
    if (row && event.target.dataset.act) this.step(row, false);
  }

  pressed(event) {
    const act = event.target.dataset.act;
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.rows();
    const index = rows.indexOf(event.target.closest("li"));
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (rows[to]) this.step(rows[to], true, act);
    } else if (event.key === "l" || event.key === "d") {
      event.preventDefault();
      rows[index].querySelector(`[data-act=${event.key === "l" ? "like" : "dislike"}]`).click();
    }
  }
}

function weightless(answer) {
  if (!answer) return "";
  if (!answer.candidates.ids.length && answer.items.every(({ score }) => score === null)) return "No model proposed anything: the fallback serves.";
  return Object.keys(answer.candidates.columns).length > 1 ? "The order is not a weighted sum: there is nothing to weigh." : "One model: there is nothing to weigh.";
}
