/**
 * Nuovo's browser client: keeps a short-lived access token at hand for as long as the session lives.
 *
 *     import { createSession } from "/client.js";
 *
 *     const session = createSession();
 *     session.addEventListener("ended", (event) => showSignIn(event.detail.reason));
 *     const response = await session.fetch("/api/orders");
 *
 * - The refresh token is an HTTP-only cookie that no script sees. The access token lives in memory alone,
 *   never in storage; a reload gets a new one from the cookie.
 * - Refreshing is lazy: a token is renewed when somebody asks for it or comes back to the tab, so that
 *   forgotten tabs do not keep a session alive for ever. `keepFresh: true` renews it unasked while the tab
 *   is visible, for pages that hand tokens to something that cannot wait (a WebSocket, an <img>).
 * - One refresh is in flight per tab (one promise) and per browser (Web Locks); the tab that has a new
 *   token gives it to the others (BroadcastChannel). Where a browser lacks either, tabs refresh on their
 *   own: the server answers simultaneous refreshes correctly, these two only spare it the work.
 * - Only the server's own word ends a session. A broken network, a busy server or a clock that is wrong
 *   never does.
 * - A session that is bound to its device is refused as long as the browser has not proven its key. The
 *   browser does that by itself, with a request or behind it, so the client waits and tries again.
 *
 * @module
 */
export type EndReason = "missing" | "expired" | "invalid" | "key_not_proven" | "user_gone" | "user_changed" | "logout";
export type SessionOptions = {
    /**
     * Where Nuovo is; relative to the page, by default the page's origin.
     */
    baseUrl?: string;
    /**
     * The only origins that are sent the access token; by default the
     * page's and that of `baseUrl`.
     */
    apiOrigins?: string[];
    /**
     * Renew unasked while the tab is visible. False by default.
     */
    keepFresh?: boolean;
    /**
     * What the browser provides, replaceable in tests.
     */
    environment?: Partial<Environment>;
};
export type Environment = {
    fetch: (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;
    now: () => number;
    random: () => number;
    setTimeout: (callback: () => void, ms: number) => any;
    clearTimeout: (timer: any) => void;
    isOnline: () => boolean;
    locks: Pick<LockManager, "request"> | undefined;
    openChannel: ((name: string) => BroadcastChannel) | undefined;
    window: EventTarget | undefined;
    document: (EventTarget & {
        visibilityState: string;
    }) | undefined;
};
export type SessionEvents = {
    /**
     *   Once for each session, however many requests found out. Also for a visitor who was never signed in, when
     *   a token is asked for.
     */
    ended: CustomEvent<{
        reason: EndReason;
        message: string;
    }>;
    /**
     *   There is a new access token (ask `accessToken()` for it), from the server or from another tab. After
     *   `ended` it means that the user signed in in another tab.
     */
    refreshed: CustomEvent<{
        source: "server" | "tab";
    }>;
};
export type Listen = <K extends keyof SessionEvents>(type: K, listener: (event: SessionEvents[K]) => void, options?: boolean | AddEventListenerOptions) => void;
export type Abortable = {
    /**
     * Ends the caller's wait; a refresh goes on, as it may serve others.
     */
    signal?: AbortSignal | null;
};
export type SessionInfo = {
    id: string;
    device: string;
    started_at: number;
    last_seen_at: number;
    expires_at: number;
    current: boolean;
};
export type Token = {
    raw: string;
    sub: string;
    sid: string;
    /**
     * whether it came fresh from a refresh, so that its `iat` can be relied on
     */
    minted: boolean;
    /**
     * server clock, in milliseconds like all below
     */
    iat: number;
    /**
     * server clock minus local clock
     */
    skew: number;
    /**
     * local clock: to be renewed when next used
     */
    staleAt: number;
    /**
     * local clock: not to be used any more
     */
    deadAt: number;
};
/**
 * @typedef {"missing" | "expired" | "invalid" | "key_not_proven" | "user_gone" | "user_changed" | "logout"} EndReason
 *   Why a session ended. `missing`: nobody is signed in in this browser. `expired`, `invalid`,
 *   `user_gone`: the server's answer. `key_not_proven`: the session goes on, but not in this browser, which
 *   has lost the key that it is bound to, or never had it. `user_changed`: another user signed in in this
 *   browser, and a page that shows one user's data must not act as another. `logout`: signed out, in this tab
 *   or another.
 */
/**
 * @typedef {object} SessionOptions
 * @property {string} [baseUrl] Where Nuovo is; relative to the page, by default the page's origin.
 * @property {string[]} [apiOrigins] The only origins that are sent the access token; by default the
 *   page's and that of `baseUrl`.
 * @property {boolean} [keepFresh] Renew unasked while the tab is visible. False by default.
 * @property {Partial<Environment>} [environment] What the browser provides, replaceable in tests.
 */
/**
 * @typedef {object} Environment
 * @property {(input: RequestInfo | URL, init?: RequestInit) => Promise<Response>} fetch
 * @property {() => number} now
 * @property {() => number} random
 * @property {(callback: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => boolean} isOnline
 * @property {Pick<LockManager, "request"> | undefined} locks
 * @property {((name: string) => BroadcastChannel) | undefined} openChannel
 * @property {EventTarget | undefined} window
 * @property {EventTarget & { visibilityState: string } | undefined} document
 */
/**
 * @typedef {object} SessionEvents
 * @property {CustomEvent<{ reason: EndReason, message: string }>} ended
 *   Once for each session, however many requests found out. Also for a visitor who was never signed in, when
 *   a token is asked for.
 * @property {CustomEvent<{ source: "server" | "tab" }>} refreshed
 *   There is a new access token (ask `accessToken()` for it), from the server or from another tab. After
 *   `ended` it means that the user signed in in another tab.
 */
/**
 * @typedef {<K extends keyof SessionEvents>(
 *   type: K,
 *   listener: (event: SessionEvents[K]) => void,
 *   options?: boolean | AddEventListenerOptions,
 * ) => void} Listen
 */
/**
 * @typedef {object} Abortable
 * @property {AbortSignal | null} [signal] Ends the caller's wait; a refresh goes on, as it may serve others.
 */
/**
 * @typedef {object} SessionInfo One of the user's sessions, as GET /sessions lists it; times in seconds.
 * @property {string} id
 * @property {string} device
 * @property {number} started_at
 * @property {number} last_seen_at
 * @property {number} expires_at
 * @property {boolean} current
 */
/**
 * @typedef {object} Token An access token, with what its unverified claims say about its timing.
 * @property {string} raw
 * @property {string} sub
 * @property {string} sid
 * @property {boolean} minted whether it came fresh from a refresh, so that its `iat` can be relied on
 * @property {number} iat server clock, in milliseconds like all below
 * @property {number} skew server clock minus local clock
 * @property {number} staleAt local clock: to be renewed when next used
 * @property {number} deadAt local clock: not to be used any more
 */
/** A request to Nuovo that failed. The session goes on unless it is a {@link SessionEndedError}. */
export declare class SessionError extends Error {
    /** The HTTP status, 0 when there was no answer. */
    status: number;
    /** Whether the same request may succeed later: network errors, 408, 429, 5xx, and a key not proven yet. */
    retryable: boolean;
    /** How long the server asked to wait, in milliseconds. @type {number | undefined} */
    retryAfter: number | undefined;
    /**
     * @param {string} message
     * @param {{ status?: number, retryable?: boolean, retryAfter?: number, cause?: unknown }} [facts]
     */
    constructor(message: string, { status, retryable, retryAfter, cause }?: {
        status?: number;
        retryable?: boolean;
        retryAfter?: number;
        cause?: unknown;
    });
}
/** The session is over; `start` begins the next one. */
export declare class SessionEndedError extends SessionError {
    reason: EndReason;
    /** @param {EndReason} reason @param {SessionError} [cause] */
    constructor(reason: EndReason, cause?: SessionError);
}
/**
 * Makes the session of this tab. Nothing is sent to the server until a token is asked for.
 *
 * @param {SessionOptions} [options]
 * @returns {{ addEventListener: Listen } & Session}
 */
export declare function createSession(options?: SessionOptions): {
    addEventListener: Listen;
} & Session;
export type Message = {
    type: "ask";
} | {
    type: "token";
    raw: string;
    skew: number;
} | {
    type: "ended";
    sid: string | null;
    reason: EndReason;
};
/** Made by {@link createSession}; see {@link SessionEvents} for its events. */
export declare class Session extends EventTarget {
    #private;
    /** @param {SessionOptions} [options] */
    constructor({ baseUrl, apiOrigins, keepFresh, environment }?: SessionOptions);
    /**
     * Like the global `fetch`, with the access token for the API's origins. A 401 renews the token and repeats
     * the request once. Not when the body is a stream: that can be read only once, so the 401 is returned and
     * the next request has a new token. Nor when the token is only seconds old: the 401 is about something else.
     *
     * A request to another origin, or with an `Authorization` of its own, is passed on untouched. (Should an
     * API redirect to another origin, browsers drop the header; set `redirect: "error"` for old ones.)
     *
     * @param {RequestInfo | URL} input
     * @param {RequestInit} [init]
     * @returns {Promise<Response>} Rejects with a {@link SessionError} when no token can be had.
     */
    fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
    /**
     * An access token that is valid now. One that is merely near its end is returned while the next is
     * fetched behind it, so that nobody waits and a passing fault of the server goes unnoticed.
     *
     * @param {Abortable} [options]
     * @returns {Promise<string>}
     */
    accessToken({ signal }?: Abortable): Promise<string>;
    /**
     * An access token newer than the present one, or the one that is already on its way.
     *
     * @param {Abortable} [options]
     * @returns {Promise<string>}
     */
    refresh({ signal }?: Abortable): Promise<string>;
    /**
     * Begins a session, right after sign-in has set the cookie. Without a token, one is fetched when needed.
     *
     * @param {string} [accessToken]
     */
    start(accessToken?: string): void;
    /**
     * Signs out in every tab at once, then has the server end the session. Rejects when the server could not
     * be told: the cookie is then still there, and the user should know.
     *
     * @param {Abortable} [options]
     */
    logout({ signal }?: Abortable): Promise<void>;
    /**
     * The user's live sessions, on all devices.
     *
     * @param {Abortable} [options]
     * @returns {Promise<SessionInfo[]>}
     */
    listSessions({ signal }?: Abortable): Promise<SessionInfo[]>;
    /**
     * Ends one of the user's sessions; this one too, if it is the one.
     *
     * @param {string} id
     * @param {Abortable} [options]
     */
    endSession(id: string, { signal }?: Abortable): Promise<void>;
    /**
     * Ends all of the user's sessions but this one: "sign out everywhere else".
     *
     * @param {Abortable} [options]
     */
    endOtherSessions({ signal }?: Abortable): Promise<void>;
    /**
     * Ends all of the user's sessions, this one included.
     *
     * @param {Abortable} [options]
     */
    endAllSessions({ signal }?: Abortable): Promise<void>;
    /** Lets go of everything in this tab: the token, timers, listeners. The session itself lives on. */
    close(): void;
}
