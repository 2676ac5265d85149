// Conditions on declared attributes: a row for each, with the controls that its type asks for.

import { element } from "./dom.js";

const DAY = 86400;

export class FilterList {
  /** `change` is called with the rules, as requests have them, whenever they change. */
  constructor(change) {
    this.change = change;
    this.columns = [];
    this.rows = [];
    this.list = element("ul", { class: "rules", "aria-label": "Filters" });
    this.select = element("select", { "aria-label": "Add a filter", onchange: () => this.add(this.select.value) });
    this.element = element("div", { class: "field", dataset: { name: "filters" } },
      element("span", { class: "label", text: "Filters" }), this.list, this.select);
  }

  /** Offer these columns, and show rules on them. */
  show(columns, rules) {
    this.columns = columns;
    this.element.hidden = columns.length === 0;
    this.select.replaceChildren(element("option", { value: "", text: "Add a filter …" }),
      ...columns.map(({ name }) => element("option", { value: name, text: name })));
    this.rows = rules.map((rule) => ({ ...rule }));
    this.draw();
  }

  add(name) {
    const column = this.columns.find((each) => each.name === name);
    if (!column) return;
    const first = { category: { is: column.values?.[0] ?? "" }, flag: { is: true }, number: { from: column.smallest ?? 0 }, time: { from: column.smallest ?? 0 } };
    this.rows.push({ column: name, ...first[column.type] });
    this.draw();
    this.list.lastElementChild.querySelector("select, input").focus();
    this.changed();
  }

  changed() {
    this.change(this.rows.filter((rule) => "is" in rule || "in" in rule || "from" in rule || "to" in rule));
  }

  draw() {
    this.select.value = "";
    this.list.hidden = this.rows.length === 0;
    this.list.replaceChildren(...this.rows.map((rule, index) => this.row(rule, index)));
  }

  row(rule, index) {
    const column = this.columns.find(({ name }) => name === rule.column);
    const ranged = column.type === "number" || column.type === "time";
    const turn = element("select", { "aria-label": `${rule.column}: condition`, onchange: () => {
      if (turn.value === "not") rule.not = true;
      else delete rule.not;
      this.changed();
    } }, element("option", { value: "", text: ranged ? "between" : "is" }), element("option", { value: "not", text: ranged ? "not between" : "is not" }));
    turn.value = rule.not ? "not" : "";
    return element("li", {},
      element("span", { class: "column", text: rule.column }), turn,
      ...(ranged ? this.range(rule, column) : [this.value(rule, column)]),
      element("button", { type: "button", class: "quiet", "aria-label": `Remove the filter on ${rule.column}`, text: "×", onclick: () => {
        this.rows.splice(index, 1);
        this.draw();
        this.select.focus();
        this.changed();
      } }));
  }

  value(rule, column) {
    const label = `${rule.column}: value`;
    const set = (value) => {
      delete rule.in;
      rule.is = value;
      this.changed();
    };
    if (column.type === "flag") {
      const select = element("select", { "aria-label": label, onchange: () => set(select.value === "true") },
        element("option", { value: "true", text: "true" }), element("option", { value: "false", text: "false" }));
      select.value = String(rule.is ?? true);
      return select;
    }
    const stated = rule.in ? rule.in.join(", ") : rule.is;
    if (!column.values) return element("input", { "aria-label": label, value: stated, onchange: (event) => set(event.target.value) });
    const select = element("select", { "aria-label": label, onchange: () => set(select.value) },
      ...(column.values.includes(stated) ? column.values : [stated, ...column.values]).map((text) => element("option", { value: text, text })));
    select.value = stated;
    return select;
  }

  range(rule, column) {
    const dated = column.type === "time";
    return ["from", "to"].map((side) => {
      const bound = side === "from" ? column.smallest : column.largest;
      const shown = (value) => (value === undefined || value === null ? "" : dated ? day(value) : value);
      const input = element("input", {
        type: dated ? "date" : "number", step: dated ? null : "any", value: shown(rule[side]), placeholder: shown(bound),
        "aria-label": `${rule.column}, ${side}`,
        onchange: () => {
          const value = dated ? input.valueAsNumber / 1000 + (side === "to" ? DAY - 1 : 0) : input.valueAsNumber;
          if (Number.isFinite(value)) rule[side] = value;
          else delete rule[side];
          this.changed();
        },
      });
      return side === "to" ? element("span", { class: "to" }, "to ", input) : input;
    });
  }
}

function day(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}
