// Asks a service of butaca from a page or from Node 18 and newer; it depends on nothing but fetch.
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
    status;
    /** The rule, what was received and the cure; undefined where the answer is none of ours. */
    problem;
    constructor(message, status, problem) {
        super(message);
        this.name = "ServiceError";
        this.status = status;
        this.problem = problem;
    }
}
/** Asks a service, and tries again where that is safe, which here is always: events have ids. */
export class Client {
    #url;
    #settings;
    constructor(url, settings = {}) {
        if (!/^https?:\/\//.test(url)) {
            throw new TypeError(`An address begins with http:// or https://. Received: ${url}.`);
        }
        this.#url = url.replace(/\/+$/, "");
        this.#settings = settings;
    }
    /** A list for anyone: a known user, a history, both or neither. */
    recommend(asked = {}) {
        return this.ask("POST", "/v1/recommend", { body: asked });
    }
    /** Items by how a title begins; without a query the popular ones. */
    items(query = "", more = {}) {
        return this.ask("GET", "/v1/items", { query: { query, ...more } });
    }
    /** An item with its features, by id or title. */
    item(item, more = {}) {
        return this.ask("GET", `/v1/items/${part(item)}`, { query: more });
    }
    /** The items most like one. */
    similar(item, more = {}) {
        return this.ask("GET", `/v1/items/${part(item)}/similar`, { query: more });
    }
    /** The columns that `where` takes. */
    filters(more = {}) {
        return this.ask("GET", "/v1/filters", { query: more });
    }
    /** Labels of a column, those of the most items first. */
    values(column, query = "", more = {}) {
        return this.ask("GET", `/v1/filters/${part(column)}`, { query: { query, ...more } });
    }
    /** Every item's place on the map. */
    map(more = {}) {
        return this.ask("GET", "/v1/map", { query: more });
    }
    /** Stores what people did, any number of events. What got its answer is on disk, and is stored once. */
    async send(events) {
        const known = events.map((event) => ({ ...event, id: event.id ?? newId() }));
        const total = { accepted: 0, known: 0 };
        for (let at = 0; at < known.length; at += BATCH) {
            const body = { events: known.slice(at, at + BATCH) };
            const answer = await this.ask("POST", "/v1/events", { body });
            total.accepted += answer.accepted;
            total.known += answer.known;
        }
        return total;
    }
    /** Takes back an event that this client sent; `user` says whose, where several have this id. */
    undo(event, more = {}) {
        return this.ask("DELETE", `/v1/events/${part(event)}`, { query: more });
    }
    /** What is known of a person, latest first. */
    history(user) {
        return this.ask("GET", `/v1/users/${part(user)}/history`);
    }
    /** Erases a person. */
    erase(user) {
        return this.ask("DELETE", `/v1/users/${part(user)}`);
    }
    /** The versions that are loaded, or could be. */
    models() {
        return this.ask("GET", "/v1/models");
    }
    /** Lets a version answer. */
    activate(version) {
        return this.ask("POST", `/v1/models/${part(version)}/activate`, { body: {} });
    }
    /** The online comparison, with intervals. */
    experiments() {
        return this.ask("GET", "/v1/experiments");
    }
    /** What the state page shows. */
    state() {
        return this.ask("GET", "/v1/state");
    }
    /** The metrics, as Prometheus reads them. */
    metrics() {
        return this.ask("GET", "/metrics");
    }
    /** Says that the process answers. */
    live() {
        return this.ask("GET", "/health/live");
    }
    /** Says that an event could be stored now. */
    ready() {
        return this.ask("GET", "/health/ready");
    }
    async ask(method, path, more = {}) {
        const { timeout = 10_000, patience = 30_000, key } = this.#settings;
        const send = this.#settings.fetch ?? fetch;
        const query = Object.entries(more.query ?? {}).filter(([, value]) => value !== undefined);
        const params = new URLSearchParams(query.map(([name, value]) => [name, String(value)]));
        const address = this.#url + path + (query.length ? `?${params}` : "");
        const headers = { accept: "application/json" };
        if (more.body !== undefined)
            headers["content-type"] = "application/json";
        if (key !== undefined)
            headers["authorization"] = `Bearer ${key}`;
        const begun = Date.now();
        for (let tries = 1;; tries += 1) {
            let failed;
            let asked = 0;
            try {
                const body = more.body === undefined ? null : JSON.stringify(more.body);
                const signal = AbortSignal.timeout(timeout);
                const answer = await send(address, { method, headers, body, signal });
                const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
                const said = isJson ? await answer.json() : await answer.text();
                if (answer.ok)
                    return said;
                failed = refused(said, isJson, answer.status, address);
                if (!PASSING.includes(answer.status))
                    throw failed;
                asked = 1_000 * (Number(answer.headers.get("retry-after")) || 0);
            }
            catch (error) {
                if (error instanceof ServiceError)
                    throw error;
                failed = new ServiceError(`A service answers at its address. Received: ${address}: ${error}.`, 0);
            }
            const grown = Math.min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT);
            const wait = asked + grown * (0.5 + Math.random() / 2);
            if (Date.now() - begun + wait > patience)
                throw failed;
            await new Promise((resolve) => setTimeout(resolve, wait));
        }
    }
}
/** An id as a part of a path. */
function part(id) {
    return encodeURIComponent(String(id));
}
/** An id for an event, from what is there on pages without TLS too. */
function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
/** The error of an answer that is none, with the problem where it is one of ours. */
function refused(said, isJson, status, address) {
    const problem = isJson && said && typeof said === "object" && "rule" in said ? said : undefined;
    const text = problem ? problem.detail : `A service of butaca answers. Received: ${status} from ${address}.`;
    return new ServiceError(text, status, problem);
}
