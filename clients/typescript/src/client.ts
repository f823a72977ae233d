// Asks a service of butaca from a page or from Node 18 and newer; it depends on nothing but fetch.

import type {
  Activated,
  ErasedAnswer,
  EventIn,
  EventsAnswer,
  ExperimentsAnswer,
  FiltersAnswer,
  Health,
  HistoryAnswer,
  ItemFull,
  ItemList,
  MapAnswer,
  ModelsAnswer,
  ProblemOut,
  RecommendAnswer,
  RecommendRequest,
  SimilarAnswer,
  UndoneAnswer,
  ValuesAnswer,
} from "./types.js";

export type * from "./types.js";

/** An id as the tables have it. */
export type AnyId = string | number;

/** An event that may leave its id to the client. */
export type NewEvent = Omit<EventIn, "id"> & { id?: string };

/** How a client asks. */
export interface Settings {
  /** An API key, where the service needs one. Whoever opens a page can read what is in it. */
  key?: string;
  /** Milliseconds for one try. */
  timeout?: number;
  /** Milliseconds for all tries of a request and the waits between; 0 tries once. */
  patience?: number;
  /** What takes the place of fetch. */
  fetch?: typeof fetch;
}

interface More {
  query?: Record<string, AnyId | undefined>;
  body?: unknown;
}

/** Statuses that pass by themselves: too many requests, a proxy without its service, overload, no time left. */
const PASSING = [429, 502, 503, 504];

/** Milliseconds before the second try, which double with each further one up to the last figure. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 5_000;

/** Events that a service takes at once. */
const BATCH = 1_000;

/** The service refused a request, or could not be asked in the time there was. */
export class ServiceError extends Error {
  /** Of HTTP; 0 where no answer came. */
  readonly status: number;
  /** The rule, what was received and the cure; undefined where the answer is none of ours. */
  readonly problem: ProblemOut | undefined;

  constructor(message: string, status: number, problem?: ProblemOut) {
    super(message);
    this.name = "ServiceError";
    this.status = status;
    this.problem = problem;
  }
}

/** Asks a service, and tries again where that is safe, which here is always: events have ids. */
export class Client {
  readonly #url: string;
  readonly #settings: Settings;

  constructor(url: string, settings: Settings = {}) {
    if (!/^https?:\/\//.test(url)) {
      throw new TypeError(`An address begins with http:// or https://. Received: ${url}.`);
    }
    this.#url = url.replace(/\/+$/, "");
    this.#settings = settings;
  }

  /** A list for anyone: a known user, a history, both or neither. */
  recommend(asked: RecommendRequest = {}): Promise<RecommendAnswer> {
    return this.ask("POST", "/v1/recommend", { body: asked });
  }

  /** Items by how a title begins; without a query the popular ones. */
  items(query = "", more: { limit?: number; model?: string } = {}): Promise<ItemList> {
    return this.ask("GET", "/v1/items", { query: { query, ...more } });
  }

  /** An item with its features, by id or title. */
  item(item: AnyId, more: { model?: string } = {}): Promise<ItemFull> {
    return this.ask("GET", `/v1/items/${part(item)}`, { query: more });
  }

  /** The items most like one. */
  similar(item: AnyId, more: { k?: number; model?: string } = {}): Promise<SimilarAnswer> {
    return this.ask("GET", `/v1/items/${part(item)}/similar`, { query: more });
  }

  /** The columns that `where` takes. */
  filters(more: { model?: string } = {}): Promise<FiltersAnswer> {
    return this.ask("GET", "/v1/filters", { query: more });
  }

  /** Labels of a column, those of the most items first. */
  values(
    column: string,
    query = "",
    more: { limit?: number; model?: string } = {},
  ): Promise<ValuesAnswer> {
    return this.ask("GET", `/v1/filters/${part(column)}`, { query: { query, ...more } });
  }

  /** Every item's place on the map. */
  map(more: { model?: string } = {}): Promise<MapAnswer> {
    return this.ask("GET", "/v1/map", { query: more });
  }

  /** Stores what people did, any number of events. What got its answer is on disk, and is stored once. */
  async send(events: readonly NewEvent[]): Promise<EventsAnswer> {
    const known = events.map((event) => ({ ...event, id: event.id ?? newId() }));
    const total = { accepted: 0, known: 0 };
    for (let at = 0; at < known.length; at += BATCH) {
      const body = { events: known.slice(at, at + BATCH) };
      const answer = await this.ask<EventsAnswer>("POST", "/v1/events", { body });
      total.accepted += answer.accepted;
      total.known += answer.known;
    }
    return total;
  }

  /** Takes back an event that this client sent; `user` says whose, where several have this id. */
  undo(event: string, more: { user?: AnyId } = {}): Promise<UndoneAnswer> {
    return this.ask("DELETE", `/v1/events/${part(event)}`, { query: more });
  }

  /** What is known of a person, latest first. */
  history(user: AnyId): Promise<HistoryAnswer> {
    return this.ask("GET", `/v1/users/${part(user)}/history`);
  }

  /** Erases a person. */
  erase(user: AnyId): Promise<ErasedAnswer> {
    return this.ask("DELETE", `/v1/users/${part(user)}`);
  }

  /** The versions that are loaded, or could be. */
  models(): Promise<ModelsAnswer> {
    return this.ask("GET", "/v1/models");
  }

  /** Lets a version answer. */
  activate(version: string): Promise<Activated> {
    return this.ask("POST", `/v1/models/${part(version)}/activate`, { body: {} });
  }

  /** The online comparison, with intervals. */
  experiments(): Promise<ExperimentsAnswer> {
    return this.ask("GET", "/v1/experiments");
  }

  /** What the state page shows. */
  state(): Promise<Record<string, unknown>> {
    return this.ask("GET", "/v1/state");
  }

  /** The metrics, as Prometheus reads them. */
  metrics(): Promise<string> {
    return this.ask("GET", "/metrics");
  }

  /** Says that the process answers. */
  live(): Promise<Health> {
    return this.ask("GET", "/health/live");
  }

  /** Says that an event could be stored now. */
  ready(): Promise<Health> {
    return this.ask("GET", "/health/ready");
  }

  private async ask<Answer>(method: string, path: string, more: More = {}): Promise<Answer> {
    const { timeout = 10_000, patience = 30_000, key } = this.#settings;
    const send = this.#settings.fetch ?? fetch;
    const query = Object.entries(more.query ?? {}).filter(([, value]) => value !== undefined);
    const params = new URLSearchParams(query.map(([name, value]) => [name, String(value)]));
    const address = this.#url + path + (query.length ? `?${params}` : "");
    const headers: Record<string, string> = { accept: "application/json" };
    if (more.body !== undefined) headers["content-type"] = "application/json";
    if (key !== undefined) headers["authorization"] = `Bearer ${key}`;
    const begun = Date.now();
    for (let tries = 1; ; tries += 1) {
      let failed: ServiceError;
      let asked = 0;
      try {
        const body = more.body === undefined ? null : JSON.stringify(more.body);
        const signal = AbortSignal.timeout(timeout);
        const answer = await send(address, { method, headers, body, signal });
        const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
        const said: unknown = isJson ? await answer.json() : await answer.text();
        if (answer.ok) return said as Answer;
        failed = refused(said, isJson, answer.status, address);
        if (!PASSING.includes(answer.status)) throw failed;
        asked = 1_000 * (Number(answer.headers.get("retry-after")) || 0);
      } catch (error) {
        if (error instanceof ServiceError) throw error;
        failed = new ServiceError(`A service answers at its address. Received: ${address}: ${error}.`, 0);
      }
      const grown = Math.min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT);
      const wait = asked + grown * (0.5 + Math.random() / 2);
      if (Date.now() - begun + wait > patience) throw failed;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** An id as a part of a path. */
function part(id: AnyId): string {
  return encodeURIComponent(String(id));
}

/** An id for an event, from what is there on pages without TLS too. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The error of an answer that is none, with the problem where it is one of ours. */
function refused(said: unknown, isJson: boolean, status: number, address: string): ServiceError {
  const problem = isJson && said && typeof said === "object" && "rule" in said ? (said as ProblemOut) : undefined;
  const text = problem ? problem.detail : `A service of butaca answers. Received: ${status} from ${address}.`;
  return new ServiceError(text, status, problem);
}
