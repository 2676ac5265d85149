// What the page asks, as the fragment of its address and as requests of the server.

/** The most places of a slate, as the server has it. */
export const MOST = 1000;
const LISTS = { items: "item", disliked: "not" };

/** Return the state of a page on which nothing was typed. */
export function empty(server) {
  const names = server.pipelines.map(({ name }) => name);
  const second = names.includes("control") && server.default !== "control" ? "control" : names.find((name) => name !== server.default);
  const target = Object.hasOwn(server.targets, "items") ? "items" : Object.keys(server.targets)[0];
  return {
    user: "", text: "", items: [], disliked: [], entities: {}, filters: [], target,
    n: server.targets[target], pipelines: [server.default, second ?? server.default], weights: [null, null],
  };
}

/** Return a state as a fragment; what is as on an empty page is left out. */
export function write(state, server) {
  const plain = empty(server);
  const fields = new URLSearchParams();
  for (const name of ["user", "text", "target", "n"]) {
    const usual = name === "n" ? server.targets[state.target] : plain[name];
    if (state[name] !== usual) fields.append(name, state[name]);
  }
  for (const [name, field] of Object.entries(LISTS)) for (const id of state[name]) fields.append(field, id);
  for (const [kind, ids] of Object.entries(state.entities)) for (const id of ids) fields.append(`has.${kind}`, id);
  for (const rule of state.filters) fields.append("filter", JSON.stringify(rule));
  ["left", "right"].forEach((side, index) => {
    if (state.pipelines[index] !== plain.pipelines[index]) fields.append(side, state.pipelines[index]);
    if (state.weights[index]) fields.append(`${side}.weights`, JSON.stringify(state.weights[index]));
  });
  return fields.toString();
}

/** Return the state of a fragment; what this server does not know is left out. */
export function read(fragment, server) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = empty(server);
  if (Object.hasOwn(server.targets, fields.get("target") ?? "")) state.target = fields.get("target");
  const n = Math.round(Number(fields.get("n")));
  state.n = n >= 1 && n <= MOST ? n : server.targets[state.target];
  state.user = fields.get("user") ?? "";
  state.text = fields.get("text") ?? "";
  for (const [name, field] of Object.entries(LISTS)) state[name] = unique(fields.getAll(field));
  for (const kind of server.kinds) {
    const ids = unique(fields.getAll(`has.${kind}`));
    if (ids.length) state.entities[kind] = ids;
  }
  const columns = new Set((server.filters[state.target] ?? []).map(({ name }) => name));
  state.filters = fields.getAll("filter").map(parsed).filter((rule) => columns.has(rule?.column));
  ["left", "right"].forEach((side, index) => {
    const name = fields.get(side);
    if (server.pipelines.some((pipeline) => pipeline.name === name)) state.pipelines[index] = name;
    const weights = Object.entries(parsed(fields.get(`${side}.weights`)) ?? {});
    const finite = weights.filter(([, weight]) => Number.isFinite(weight));
    state.weights[index] = finite.length ? Object.fromEntries(finite) : null;
  });
  return state;
}

/** Return the request of a state for one pipeline: only what is stated, in the server's own names. */
export function request(state, pipeline) {
  const { tags, ...others } = state.entities;
  const entities = Object.fromEntries(Object.entries(others).filter(([, ids]) => ids.length));
  const stated = {
    user: state.user, text: state.text.trim(), items: state.items, tags: tags ?? [], entities,
    disliked: state.disliked, filters: state.filters,
  };
  const kept = Object.entries(stated).filter(([, value]) =>
    typeof value === "string" ? value : Array.isArray(value) ? value.length : Object.keys(value).length);
  const target = state.target === "items" ? {} : { target: state.target };
  return { ...Object.fromEntries(kept), ...target, n: state.n, pipeline };
}

function unique(values) {
  return [...new Set(values.filter(Boolean))];
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
