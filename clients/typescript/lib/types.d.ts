/** An Activated names the version that answers now. */
export interface Activated {
    name: string;
    version: string;
    active: boolean;
}
/** An Arm is one side of the online comparison. */
export interface Arm {
    name: string;
    model: string;
    share: number;
    recommendations: number;
    with_event: number;
    events: number;
    users: number;
    rate: number | null;
    low: number;
    high: number;
}
/** A Conditions holds conditions on one column; all that are given must hold. */
export interface Conditions {
    /** Any of these values. */
    any?: readonly (string | number | boolean)[] | string | number | boolean | null;
    /** Every one of these. */
    all?: readonly (string | number | boolean)[] | string | number | boolean | null;
    /** None of these. */
    not?: readonly (string | number | boolean)[] | string | number | boolean | null;
    /** A number, or a date such as 2011-12-01, at least this. */
    min?: number | string | null;
    /** A number or a date at most this. */
    max?: number | string | null;
}
/** An ErasedCounts says how much was removed. */
export interface ErasedCounts {
    events: number;
    recommendations: number;
}
/** An ErasedAnswer says that a person was erased. */
export interface ErasedAnswer {
    user: string;
    erased: ErasedCounts;
}
/** An EventIn says that somebody had something. */
export interface EventIn {
    /** Made by the client; the same again changes nothing, so retry freely. */
    id: string;
    user: string | number;
    item: string | number;
    /** The last two say no: what they name is moved away from. */
    kind?: "watch" | "rate" | "like" | "save" | "click" | "purchase" | "skip" | "dislike";
    /** A rating or weight. */
    value?: number | null;
    /** Seconds since 1970, or ISO 8601 (UTC unless it says otherwise), at most a day ahead; now if left out. */
    time?: number | string | null;
    /** Of the list that led to it. */
    request_id?: string | null;
}
/** An EventsAnswer says that events are stored: what got this answer survives a crash. */
export interface EventsAnswer {
    /** New ones. */
    accepted: number;
    /** Those whose id was stored before. */
    known: number;
}
/** An EventsRequest is a batch of events, stored whole or not at all. */
export interface EventsRequest {
    events: readonly EventIn[];
}
/** An ExperimentsAnswer compares events per list shown, by arm, with 95 % intervals. */
export interface ExperimentsAnswer {
    arms: Arm[];
    differences: Record<string, unknown>[];
}
/** A FiltersAnswer lists the columns that `where` takes: labels, numbers, dates, yes or no. */
export interface FiltersAnswer {
    columns: Record<string, unknown>[];
}
/** A Health says whether the service lives, or can answer. */
export interface Health {
    status: string;
}
/** A HistoryEntry is something that a person had. */
export interface HistoryEntry {
    id: string | number;
    title: string;
    kind: string | null;
    value: number | null;
    time: number | null;
    /** training, or events since. */
    from: string;
}
/** A HistoryAnswer says what is known of a person, latest first. */
export interface HistoryAnswer {
    user: string;
    /** Whether the person was erased: nothing from before is used or shown. */
    erased: boolean;
    items: HistoryEntry[];
}
/** A HistoryItem is an item that the person has had, with a rating and a time where they are known. */
export interface HistoryItem {
    item: string | number;
    value?: number | null;
    /**
     * When, as an event's; if left out now, after what comes before it in the list. It counts where the model
     * reads histories in order.
     */
    time?: number | string | null;
}
/** An ItemFull is an item with every column of its table. */
export interface ItemFull {
    id: string | number;
    title: string;
    genres: string[];
    year: number | null;
    /** Interactions in training. */
    popularity: number;
    /** Its address, where the table has one. */
    picture?: string | null;
    /** Of the item's own page, where the table has one. */
    link?: string | null;
    features: Record<string, unknown>;
}
/** An ItemShort is an item as lists show it. */
export interface ItemShort {
    id: string | number;
    title: string;
    genres: string[];
    year: number | null;
    /** Interactions in training. */
    popularity: number;
    /** Its address, where the table has one. */
    picture?: string | null;
    /** Of the item's own page, where the table has one. */
    link?: string | null;
}
/** An ItemList holds items, best first. */
export interface ItemList {
    items: ItemShort[];
}
/** A Place says where an item lies on the map. */
export interface Place {
    id: string | number;
    title: string;
    x: number;
    y: number;
    genre: string | null;
    popularity: number;
}
/** A MapAnswer is the catalogue as a map: what is alike lies close. */
export interface MapAnswer {
    /** PCA, a sketch, or t-SNE, the drawing. */
    method: string;
    items: Place[];
}
/** A ModelInfo describes a version of a model. */
export interface ModelInfo {
    name: string;
    version: string;
    /** Whether it answers requests that name no model. */
    active: boolean;
    loaded: boolean;
    loaded_at: number | null;
    recipe: string | null;
    verdict: string | null;
    metrics: Record<string, unknown>;
    data: Record<string, unknown>;
    /** How its test pairs were held out. */
    split?: unknown;
    softmax?: unknown;
    /**
     * What validation chose: name, value and closed_form, the value of the closed form alone; null where
     * nothing was chosen.
     */
    chosen?: Record<string, unknown> | null;
    /** What it was trained with. */
    settings?: unknown;
    /** Of the libraries that trained it. */
    versions?: unknown;
    /**
     * What orders the candidates: target, rounds, candidates, features, examples and people that it learned
     * from, and whether it was judged; null without a second stage.
     */
    second_stage?: Record<string, unknown> | null;
    /** Why its folder can't be read. */
    damaged?: string | null;
}
/** A ModelsAnswer lists every version that is loaded, or could be. */
export interface ModelsAnswer {
    models: ModelInfo[];
}
/** A Moved says what part a feature had in the second stage's score of an item. */
export interface Moved {
    feature: string;
    /** What it was; null where unknown. */
    value: number | null;
    /** What it added to the score, against the mean candidate. */
    points: number;
}
/** A ProblemOut says what went wrong: the rule, what was received, and the cure (RFC 9457). */
export interface ProblemOut {
    type: string;
    title: string;
    status: number;
    detail: string;
    rule: string;
    received: string;
    cure: string;
    /** Finds it in the log. */
    request_id?: string | null;
    /** Each broken rule and its place (loc). */
    errors?: Record<string, unknown>[] | null;
}
/** A ReasonOut names an item of the history and its part in a score. */
export interface ReasonOut {
    id: string | number;
    title: string;
    /**
     * Its part of what the towers say (`retrieval_score`, or `score` without what freshness adds). A share is
     * exact: those of the whole history and what the item has without it add up. An effect is that score less
     * the score without the item.
     */
    share: number;
    /** share, or effect where the score is no sum over the history. */
    kind?: string;
}
/** A RecommendedItem is one item of a list. */
export interface RecommendedItem {
    id: string | number;
    title: string;
    /** Higher is better; comparable within one list. */
    score: number;
    /** What gave the score: retrieval, ranker or popularity. */
    stage?: string;
    because?: ReasonOut[];
    /** Of the first stage, where there is a second. */
    retrieval_score?: number | null;
    /** Where it stands without ranking, from 1. */
    place?: number | null;
    /** With `explain`: features that moved it most. */
    moved?: Moved[] | null;
    /** With `explain`. */
    genres?: string[] | null;
    /** With `explain`. */
    year?: number | null;
    /** With `explain`: its address, where the table has one. */
    picture?: string | null;
    /** With `explain`: of the item's own page. */
    link?: string | null;
}
/** A RecommendAnswer is a list, best first. */
export interface RecommendAnswer {
    /** Events can point at it. */
    request_id: string;
    model_version: string;
    model: string;
    /** Of the split, where the person is in one. */
    arm?: string | null;
    took_ms: number;
    /** The rung that answered: history, user, features or popularity. */
    source: string;
    user: string | null;
    /** Whether the event store was out of reach: what the user did since is not in it. */
    without_events?: boolean;
    /** Titles of the history that was given. */
    history: string[];
    /** What of it was passed over: no item is called so. */
    unknown: string[];
    /** Whether an item that belongs here may be missing. */
    approximate?: boolean;
    items: RecommendedItem[];
}
/** A RecommendRequest says for whom, from what, and what to leave out; everything is optional. */
export interface RecommendRequest {
    /** An id; one that the model does not know is a new person. */
    user?: string | number | null;
    /** How many items. */
    k?: number;
    /** Ids or titles of items that the person has had, besides what is known of them. */
    history?: readonly (string | number | HistoryItem)[];
    /** Items to move away from. */
    less?: readonly (string | number)[];
    /** Items to leave out. */
    exclude?: readonly (string | number)[];
    /** The only items to choose from. */
    allow?: readonly (string | number)[] | null;
    /** Conditions on the columns that /v1/filters lists; all must hold. */
    where?: Readonly<Record<string, readonly (string | number | boolean)[] | Conditions | string | number | boolean>> | null;
    /** Leave out what the person had. If left out: yes, unless the model's data are of what people have again. */
    exclude_seen?: boolean | null;
    /** Say which of the history each item is because of. */
    explain?: boolean;
    /** A model's name or version, instead of the split's choice. */
    model?: string | null;
    /** How much to avoid items that resemble each other. */
    variety?: number;
    /** How much to favour recent items. */
    freshness?: number;
    /** Let the second stage order the list, where the model has one. */
    rank?: boolean;
}
/** A SimilarAnswer holds the items that are like one. */
export interface SimilarAnswer {
    item: ItemShort;
    items: RecommendedItem[];
}
/** An UndoneAnswer says whether there was an event to take back. */
export interface UndoneAnswer {
    id: string;
    /** Whose it is or would be; null where none is named and none found. */
    user: string | null;
    /** 1, or 0 where there was none. */
    removed: number;
}
/** A ValueOut is a label and how many items have it. */
export interface ValueOut {
    value: string;
    count: number;
}
/** A ValuesAnswer lists labels of a column, those of the most items first. */
export interface ValuesAnswer {
    values: ValueOut[];
}
