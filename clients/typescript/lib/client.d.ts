import type { Activated, ErasedAnswer, EventIn, EventsAnswer, ExperimentsAnswer, FiltersAnswer, Health, HistoryAnswer, ItemFull, ItemList, MapAnswer, ModelsAnswer, ProblemOut, RecommendAnswer, RecommendRequest, SimilarAnswer, UndoneAnswer, ValuesAnswer } from "./types.js";
export type * from "./types.js";
/** An id as the tables have it. */
export type AnyId = string | number;
/** An event that may leave its id to the client. */
export type NewEvent = Omit<EventIn, "id"> & {
    id?: string;
};
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
/** The service refused a request, or could not be asked in the time there was. */
export declare class ServiceError extends Error {
    /** Of HTTP; 0 where no answer came. */
    readonly status: number;
    /** The rule, what was received and the cure; undefined where the answer is none of ours. */
    readonly problem: ProblemOut | undefined;
    constructor(message: string, status: number, problem?: ProblemOut);
}
/** Asks a service, and tries again where that is safe, which here is always: events have ids. */
export declare class Client {
    #private;
    constructor(url: string, settings?: Settings);
    /** A list for anyone: a known user, a history, both or neither. */
    recommend(asked?: RecommendRequest): Promise<RecommendAnswer>;
    /** Items by how a title begins; without a query the popular ones. */
    items(query?: string, more?: {
        limit?: number;
        model?: string;
    }): Promise<ItemList>;
    /** An item with its features, by id or title. */
    item(item: AnyId, more?: {
        model?: string;
    }): Promise<ItemFull>;
    /** The items most like one. */
    similar(item: AnyId, more?: {
        k?: number;
        model?: string;
    }): Promise<SimilarAnswer>;
    /** The columns that `where` takes. */
    filters(more?: {
        model?: string;
    }): Promise<FiltersAnswer>;
    /** Labels of a column, those of the most items first. */
    values(column: string, query?: string, more?: {
        limit?: number;
        model?: string;
    }): Promise<ValuesAnswer>;
    /** Every item's place on the map. */
    map(more?: {
        model?: string;
    }): Promise<MapAnswer>;
    /** Stores what people did, any number of events. What got its answer is on disk, and is stored once. */
    send(events: readonly NewEvent[]): Promise<EventsAnswer>;
    /** Takes back an event that this client sent; `user` says whose, where several have this id. */
    undo(event: string, more?: {
        user?: AnyId;
    }): Promise<UndoneAnswer>;
    /** What is known of a person, latest first. */
    history(user: AnyId): Promise<HistoryAnswer>;
    /** Erases a person. */
    erase(user: AnyId): Promise<ErasedAnswer>;
    /** The versions that are loaded, or could be. */
    models(): Promise<ModelsAnswer>;
    /** Lets a version answer. */
    activate(version: string): Promise<Activated>;
    /** The online comparison, with intervals. */
    experiments(): Promise<ExperimentsAnswer>;
    /** What the state page shows. */
    state(): Promise<Record<string, unknown>>;
    /** The metrics, as Prometheus reads them. */
    metrics(): Promise<string>;
    /** Says that the process answers. */
    live(): Promise<Health>;
    /** Says that an event could be stored now. */
    ready(): Promise<Health>;
    private ask;
}
