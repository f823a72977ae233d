// The service: JSON in, JSON out. A failure is a Failure that says what kind, so that the page can say it in words.

const KEY = "butaca.key";
const ROOT = new URL("../../", import.meta.url); // the page may stand under a prefix
let own = null;
let unlock = null; // asks the person for a key; one question at a time

export class Failure extends Error {
  /** kind: offline, gone, busy, slow, key, rule, server or odd; problem: problem+json, if there was one. */
  constructor(kind, status = 0, problem = {}, wait = 0) {
    super(problem.detail ?? kind);
    Object.assign(this, { kind, status, problem, wait });
  }
}

const key = () => {
  try { return own ?? sessionStorage.getItem(KEY); } catch { return own; }
};

/** How to ask for a key: a function of what was wrong with the last one that promises another, or null. */
export function onLocked(ask) {
  unlock = ask;
}

const kindOf = (status) => status === 503 ? "busy" : status === 429 ? "slow" : status === 401 || status === 403 ? "key"
  : status >= 500 ? "server" : status >= 400 ? "rule" : "odd";

async function send(path, options) {
  const headers = { Accept: "application/json" };
  if (options.body) headers["Content-Type"] = "application/json";
  if (key()) headers.Authorization = `Bearer ${key()}`;
  try {
    return await fetch(new URL(path.replace(/^\//, ""), ROOT), { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(navigator.onLine ? "gone" : "offline");
  }
}

export async function call(method, path, { body, signal } = {}) {
  const options = { method, signal, body: body && JSON.stringify(body) };
  let answer = await send(path, options);
  while ((answer.status === 401 || answer.status === 403) && unlock) {
    const given = await unlock(answer.status === 403 ? "key.scope" : key() ? "key.wrong" : null);
    if (!given) break;
    own = given;
    try { sessionStorage.setItem(KEY, given); } catch { /* kept for this visit only */ }
    answer = await send(path, options);
  }
  let content = null;
  try { content = await answer.json(); } catch { /* not JSON: told by its status */ }
  if (answer.ok && content !== null) return content;
  const wait = Math.min(Math.max(Number(answer.headers.get("Retry-After")) || 1, 1), 30);
  throw new Failure(kindOf(answer.status), answer.status, content ?? {}, wait);
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { ...options, body });
export const itemPath = (id, rest = "") => `/v1/items/${encodeURIComponent(id)}${rest}`;
