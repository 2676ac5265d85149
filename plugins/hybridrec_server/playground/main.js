// The page: what is typed becomes requests, answers become slates, and the address always says what is shown.

import { details, get, key, ORIGIN, post, Problem } from "./api.js";
import { changes, differences, extent, places } from "./blend.js";
import { curl, python } from "./code.js";
import { delayed, element } from "./dom.js";
import { EntityField } from "./entity_field.js";
import { FilterList } from "./filter_list.js";
import { SlateView } from "./slate_view.js";
import { empty, MOST, read, request, write } from "./state.js";

const SIDES = ["left", "right"];
const ANIMALS = ["badger", "crane", "fox", "heron", "lynx", "marten", "otter", "owl", "raven", "seal", "stoat", "wren"];
const at = (id) => document.getElementById(id);

let server;
let state;
let fields;
let pending;
/** For each side: the last answer, its slate, ids that came with the last act, and what that act changed. */
let columns;
/** id -> kind and title of what the person of this state did on this page. */
let acts = new Map();
/** What to say of the next answers: "your like of ..." */
let because = null;
/** Whether the page was just made anew for another bundle; two in a row would be a server in the midst of a swap. */
let renewed = false;
/** bundle, kind and id -> the data about what was opened. */
const opened = new Map();

const views = SIDES.map((side, index) => new SlateView(side, {
  choose: (name) => {
    state.pipelines[index] = name;
    state.weights[index] = null;
    columns[index].answer = null;
    changed();
  },
  weigh: (weights) => {
    state.weights[index] = weights;
    draw();
    rememberSoon();
  },
  act: (place, kind) => act(index, place, kind),
  more: () => more(index),
  inspect: (id) => inspect(id),
  current: () => ({ answer: columns[index].answer, weights: state.weights[index] }),
  point: (id) => views[1 - index].point(id),
  use: (place) => {
    const name = state.target === "items" ? "items" : state.target;
    const ids = name === "items" ? state.items : (state.entities[name] ??= []);
    if (!ids.includes(place.id)) ids.push(place.id);
    fields.get(name)?.titles.set(place.id, place.title);
    fields.get(name)?.show(ids);
    changed();
  },
}));

async function start() {
  try {
    server = await get("v1/pipelines");
  } catch (error) {
    complain([error]);
    return;
  }
  at("unlock").hidden = true;
  at("experiment").textContent = server.name;
  document.title = `${server.name} · hybridrec playground`;
  at("bundle").textContent = `bundle ${server.bundle.slice(0, 12)}`;
  at("bundle").title = server.bundle;
  build();
  restore();
}

/** Make the fields that this bundle asks for. */
function build() {
  const changedText = delayed(250, changed);
  const titled = element("input", { id: "text", autocomplete: "off", placeholder: "a title, in free words", oninput: () => {
    state.text = titled.value;
    changedText();
  } });
  const kinds = server.kinds.filter((kind) => kind !== "users" && kind !== "items");
  const visitor = element("button", { type: "button", text: "New visitor", onclick: () => become(visit()) });
  const list = (label, kind, name, ids, hint) => new EntityField({ label, kind, name, hint, change: (chosen) => {
    ids(chosen);
    changed();
  } });
  fields = new Map([
    ["user", new EntityField({ label: "Person", kind: "users", name: "user", hint: server.knows_users ? "anybody, by name" : "any name", single: true, aside: visitor, change: ([id]) => become(id ?? "") })],
    ["items", list("Items", "items", "items", (chosen) => (state.items = chosen), "what they have, oldest first")],
    ...kinds.map((kind) => [kind, list(capital(kind), kind, kind === "tags" ? "tags" : "entities", (chosen) => (state.entities[kind] = chosen), "any of them")]),
    ["disliked", list("Not these", "items", "disliked", (chosen) => (state.disliked = chosen), "items to keep out")],
  ]);
  const n = element("input", { id: "n", type: "number", min: 1, max: MOST, onchange: () => {
    state.n = Math.min(MOST, Math.max(1, Math.round(n.valueAsNumber) || server.targets[state.target]));
    n.value = state.n;
    changed();
  } });
  const targets = Object.keys(server.targets);
  const target = element("select", { id: "target", onchange: () => {
    Object.assign(state, { target: target.value, n: server.targets[target.value], filters: [], weights: [null, null] });
    acts = new Map();
    for (const column of columns) Object.assign(column, { answer: null, slate: [] });
    show();
    changed();
  } }, ...targets.map((name) => element("option", { value: name, text: name })));
  const field = (label, id, name, ...inputs) => element("div", { class: "field", dataset: { name } }, element("label", { for: id, text: label }), ...inputs);
  const amount = element("div", { class: "pair" }, field("Places", "n", "n", n), targets.length > 1 && field("Recommend", "target", "target", target));
  at("fields").replaceChildren(
    fields.get("user").element, field("Title", "text", "text", titled), fields.get("items").element,
    ...kinds.map((kind) => fields.get(kind).element), fields.get("disliked").element, amount);
  fields.set("filters", new FilterList((rules) => {
    state.filters = rules;
    changed();
  }));
  at("filters").replaceChildren(fields.get("filters").element);
  for (const view of views) view.offer(server);
  at("slates").replaceChildren(...views.map((view) => view.element));
  for (const id of ["ask", "slates", "code"]) at(id).hidden = false;
  for (const each of document.querySelectorAll(".switch, .keys")) each.hidden = false;
}

/** Take over the state of the address. */
function restore() {
  state = read(location.hash, server);
  columns = SIDES.map(() => ({ answer: null, slate: [], fresh: new Set(), since: null }));
  acts = new Map();
  show();
  refresh();
}

/** Show the state in the fields. */
function show() {
  fields.get("user").show(state.user ? [state.user] : []);
  for (const name of ["items", "disliked"]) fields.get(name).show(state[name]);
  for (const [name, field] of fields) if (field instanceof EntityField && server.kinds.includes(name) && name !== "items") field.show(state.entities[name] ?? []);
  fields.get("filters").show(server.filters[state.target] ?? [], state.filters);
  at("text").value = state.text;
  at("n").value = state.n;
  if (at("target")) at("target").value = state.target;
}

function changed() {
  remember();
  refresh();
}

/** Let the address say what is shown; the browser's history stays as it is. */
function remember() {
  const fragment = write(state, server);
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}

/** Remember a slider that is still moved; browsers refuse hundreds of addresses in a row. */
const rememberSoon = delayed(200, remember);

/** Ask for both slates. */
async function refresh() {
  pending?.abort();
  pending = new AbortController();
  const { signal } = pending;
  for (const view of views) view.busy(true);
  const asked = state.pipelines.map((pipeline) => post("v1/explain", request(state, pipeline), signal));
  const results = await Promise.allSettled(asked);
  if (signal.aborted) return;
  const swapped = results.some(({ value }) => value && value.bundle !== server.bundle);
  if (swapped && !renewed) {
    renewed = true;
    await start();
    toast("The server has another bundle now");
    return;
  }
  renewed = swapped;
  const reason = because;
  because = null;
  results.forEach((result, index) => {
    const column = columns[index];
    const before = column.answer ? column.slate : null;
    column.answer = result.status === "fulfilled" ? result.value : null;
    column.slate = column.answer ? places(column.answer, state.weights[index]) : [];
    const { came, left, moved } = before && reason ? changes(before, column.slate) : { came: [], left: [], moved: 0 };
    column.fresh = new Set(came.map(({ id }) => id));
    column.since = before && reason ? told(reason, came, left, moved) : null;
  });
  complain(results.filter(({ status }) => status === "rejected").map(({ reason: error }) => error));
  for (const view of views) view.busy(false);
  draw();
}

function told(reason, came, left, moved) {
  if (!came.length && !left.length && !moved) return `Since ${reason}: nothing changed.`;
  const gone = left.length ? `, gone: ${left.slice(0, 3).map(({ title }) => title).join(", ")}${left.length > 3 ? " …" : ""}` : "";
  return `Since ${reason}: ${came.length} new, ${moved} moved${gone}.`;
}

/** Draw both slates from the last answers and the weights of the sliders. */
function draw() {
  columns.forEach((column, index) => {
    if (column.answer) column.slate = places(column.answer, state.weights[index]);
  });
  const extents = columns.map(({ slate }) => extent(slate));
  views.forEach((view, index) => {
    const [column, other] = [columns[index], columns[1 - index]];
    view.show({
      ...column, pipeline: state.pipelines[index], weights: state.weights[index], acts, extent: extents[index],
      marks: column.answer && other.answer ? differences(column.slate, other.slate) : new Map(),
      other: named(1 - index),
      more: column.answer?.next && !state.weights[index],
    });
  });
  drawSwitch();
  drawCode();
  drawActs();
  announce();
}

/** Tell people who listen what changed, once it does not change any more. */
const announce = delayed(600, () => {
  if (!columns.every(({ answer }) => answer)) return;
  const [left, right] = columns.map(({ slate }) => slate);
  const only = [...differences(left, right).values()].filter((by) => by === null).length;
  const since = columns.map((column) => column.since).filter(Boolean).join(" ");
  at("said").textContent = `${state.pipelines[0]}: ${left.length} places, ${only} of them not in ${named(1)}. ${since}`;
});

/** Say what the person did on this page; liked items leave the slates. */
function drawActs() {
  const said = ["like", "dislike"].map((kind) => {
    const titles = [...acts.values()].filter((done) => done.kind === kind).map(({ title }) => title);
    return titles.length && `${kind}d ${titles.join(" · ")}`;
  }).filter(Boolean);
  at("acts").hidden = said.length === 0;
  at("acts").textContent = `On this page the person ${said.join(", and ")}.`;
}

/** The name of a side, where both show the same pipeline, too. */
function named(index) {
  const [one, other] = state.pipelines;
  return one === other ? `the slate on the ${SIDES[index]}` : state.pipelines[index];
}

function drawSwitch() {
  const shown = at("slates").dataset.shown ?? "left";
  at("slates").dataset.shown = shown;
  document.querySelector(".switch").replaceChildren(...SIDES.map((side, index) => element("button", {
    type: "button", "aria-pressed": String(side === shown), text: state.pipelines[index], onclick: () => {
      at("slates").dataset.shown = side;
      drawSwitch();
    },
  })));
}

function drawCode() {
  const select = at("code-pipeline");
  const chosen = select.value || "0";
  select.replaceChildren(...state.pipelines.map((name, index) => element("option", { value: index, text: name })));
  select.value = chosen;
  const asked = request(state, state.pipelines[Number(chosen)]);
  at("curl").textContent = curl(asked, ORIGIN, key.get() !== "");
  at("python").textContent = python(asked, ORIGIN, key.get() !== "");
}

/** Add the next page to a slate. */
async function more(index) {
  const column = columns[index];
  try {
    const next = await post("v1/explain", { ...request(state, state.pipelines[index]), cursor: column.answer.next });
    if (columns[index].answer !== column.answer) return;
    const first = column.answer.items.length;
    const items = next.items.map((place, offset) => ({ ...place, place: first + offset + 1 }));
    column.answer = { ...column.answer, items: [...column.answer.items, ...items], next: next.next };
    draw();
    if (items.length) views[index].step(views[index].rows()[first], true);
  } catch (error) {
    complain([error]);
  }
}

/** Tell the server what the person did, and ask again. */
async function act(index, place, kind) {
  const { answer } = columns[index];
  if (acts.get(place.id)?.kind === kind) return;
  if (!state.user) {
    state.user = visit();
    fields.get("user").show([state.user]);
    remember();
  }
  try {
    await post("v1/events", { events: [{ id: random(), request: answer.request, user: state.user, item: place.id, kind }] });
  } catch (error) {
    complain([error]);
    return;
  }
  acts.set(place.id, { kind, title: place.title });
  because = `your ${kind} of ${place.title}`;
  toast(kind === "like" ? `You like ${place.title}` : `You dislike ${place.title}`);
  refresh();
}

function become(user) {
  state.user = user;
  acts = new Map();
  fields.get("user").show(user ? [user] : []);
  changed();
}

function visit() {
  const number = crypto.getRandomValues(new Uint32Array(2));
  return `visitor-${ANIMALS[number[0] % ANIMALS.length]}-${number[1].toString(36)}`;
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function inspect(id) {
  const address = `${server.bundle} ${state.target} ${id}`;
  if (!opened.has(address)) {
    try {
      opened.set(address, await details(id, state.target));
    } catch {
      return null;
    }
  }
  return opened.get(address);
}

/** Say problems in words, each once, and mark the fields that they name. */
function complain(problems) {
  for (const each of document.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
  const words = new Map();
  for (const problem of problems) {
    if (!(problem instanceof Problem)) throw problem;
    words.set(problem.words, problem);
    for (const { path } of problem.errors) {
      const name = path.match(/^\w+/)?.[0];
      document.querySelector(`[data-name="${name}"]`)?.querySelector("input, select")?.setAttribute("aria-invalid", "true");
    }
  }
  const box = at("problem");
  box.hidden = words.size === 0;
  box.replaceChildren(...[...words.values()].flatMap((problem) => [
    element("p", { text: problem.words }),
    problem.errors.length > 0 && element("ul", {}, ...problem.errors.map(({ path, message }) =>
      element("li", {}, element("code", { text: path || "the request" }), ` ${message}`))),
  ]).filter(Boolean), element("button", { type: "button", text: "Try again", onclick: () => (server ? refresh() : start()) }));
  if ([...words.values()].some(({ status }) => status === 401 || status === 403)) {
    at("unlock").hidden = false;
    at("key").focus();
  }
}

async function copy(text, name) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context there is no clipboard: an address other than localhost over plain HTTP.
    const area = element("textarea", { "aria-hidden": "true", class: "unseen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) {
      toast(`The browser did not let the page copy; select the text by hand.`);
      return;
    }
  }
  toast(`${name} copied`);
}

let fading;
function toast(text) {
  const box = at("toast");
  box.textContent = text;
  box.classList.add("shown");
  at("said").textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => box.classList.remove("shown"), 2500);
}

function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  changed();
});
at("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  key.set(at("key").value);
  at("key").value = "";
  start();
});
at("link").addEventListener("click", () => {
  if (server) remember();
  copy(location.href, "Link");
});
at("clear").addEventListener("click", () => {
  if (!server) return;
  state = empty(server);
  remember();
  restore();
});
at("copy-curl").addEventListener("click", () => copy(at("curl").textContent, "Command"));
at("copy-python").addEventListener("click", () => copy(at("python").textContent, "Program"));
at("code-pipeline").addEventListener("change", drawCode);
addEventListener("hashchange", () => server && restore());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea, select") || !fields) return;
  event.preventDefault();
  fields.get("user").input.focus();
});

start();
