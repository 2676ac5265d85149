// Requests to the server that sent this page, and its problems in words.

/** The address of the server, with the folder under which a proxy may show it. */
export const ORIGIN = new URL(".", location.href).href.replace(/\/$/, "");
const KEY = "hybridrec-key";

/** A problem (RFC 9457), or none at all from a server that does not answer. */
export class Problem extends Error {
  constructor({ title, detail, status = 0, errors = [], trace = "" }, seconds = null) {
    super(detail || title);
    Object.assign(this, { title, status, errors, trace, seconds });
  }

  /** The problem in one or two sentences. */
  get words() {
    const wait = this.seconds ? ` Try again in ${this.seconds} ${this.seconds === 1 ? "second" : "seconds"}.` : "";
    const log = this.status === 500 && this.trace ? ` The log of the server has it as ${this.trace}.` : "";
    return `${sentence(this.title)} ${this.message === this.title ? "" : sentence(this.message)}${wait}${log}`.trim();
  }
}

/** The key that was typed into the page; kept until the tab is closed, and never in a link. */
export const key = {
  get: () => sessionStorage.getItem(KEY) || "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** Return the JSON of an address with parameters. Throws Problem, or AbortError. */
export function get(path, parameters = {}, signal = undefined) {
  const search = new URLSearchParams(parameters).toString();
  return answer(`${path}${search && `?${search}`}`, { signal });
}

/** Return the data about an entity of a kind. Throws Problem, also for an id that an address loses, or AbortError. */
export function details(id, kind) {
  if (id === "" || id === "." || id === "..") {
    return Promise.reject(new Problem({ title: `The id “${id}” cannot stand in an address` }));
  }
  return get(`v1/items/${encodeURIComponent(id)}`, kind === "items" ? {} : { kind });
}

/** Return the JSON that answers a body. Throws Problem, or AbortError. */
export function post(path, body, signal = undefined) {
  const headers = { "Content-Type": "application/json" };
  return answer(path, { method: "POST", body: JSON.stringify(body), headers, signal });
}

async function answer(path, options) {
  const headers = { Accept: "application/json", ...options.headers };
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  let response;
  try {
    response = await fetch(`${ORIGIN}/${path}`, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "The server does not answer", detail: "It may have ended, or the network is away." });
  }
  const text = await response.text();
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Below: a proxy that answers with a page of its own.
  }
  if (response.ok && body !== null) return body;
  const seconds = Number(response.headers.get("Retry-After")) || null;
  const title = body?.title || `The answer has status ${response.status}`;
  const detail = body?.detail || response.statusText || "It is not JSON.";
  throw new Problem({ title, detail, status: response.status, errors: body?.errors || [], trace: body?.trace }, seconds);
}

/** Return a text as a sentence, with a capital letter and a full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
