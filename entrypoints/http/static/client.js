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

// All spans are milliseconds.
const EARLY = 60_000; // renew this long before the end (less for short-lived tokens), jittered
const LATE = 5_000; // a token this near its end may expire on its way: not handed out any more
const JUST_MADE = 5_000; // a token refused at this age is not refused for being old
const TRIES = 5;
const FIRST_PAUSE = 500; // doubled after each try, jittered
const LONGEST_PAUSE = 30_000;
const ANSWER_WITHIN = 15_000; // after sleep, dead connections hang for minutes before they fail
const LOCK_WITHIN = 20_000; // longer than an honest holder needs; past it, the holder is frozen or gone
const PEERS_ANSWER_WITHIN = 100;
const TIMER_LIMIT = 2 ** 31 - 1; // setTimeout fires at once beyond this
const UNPROVEN = "Key not proven."; // the server's word
const OF_THIS_TAB = new Set(["key_not_proven", "user_changed"]); // ends that other tabs are not told

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
export class SessionError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, retryable?: boolean, retryAfter?: number, cause?: unknown }} [facts]
   */
  constructor(message, { status = 0, retryable = false, retryAfter, cause } = {}) {
    super(message, { cause });
    this.name = new.target.name;
    /** The HTTP status, 0 when there was no answer. */
    this.status = status;
    /** Whether the same request may succeed later: network errors, 408, 429, 5xx, and a key not proven yet. */
    this.retryable = retryable;
    /** How long the server asked to wait, in milliseconds. @type {number | undefined} */
    this.retryAfter = retryAfter;
  }
}

/** The session is over; `start` begins the next one. */
export class SessionEndedError extends SessionError {
  /** @param {EndReason} reason @param {SessionError} [cause] */
  constructor(reason, cause) {
    super(cause?.message ?? "The session has ended.", { status: cause?.status, cause });
    this.reason = reason;
  }
}

/**
 * Makes the session of this tab. Nothing is sent to the server until a token is asked for.
 *
 * @param {SessionOptions} [options]
 * @returns {{ addEventListener: Listen } & Session}
 */
export function createSession(options) {
  return /** @type {any} */ (new Session(options));
}

/** Made by {@link createSession}; see {@link SessionEvents} for its events. */
export class Session extends EventTarget {
  /** @type {Environment} */ #env;
  /** @type {string} */ #baseUrl;
  /** @type {Set<string>} */ #origins;
  /** @type {boolean} */ #keepFresh;

  /** @type {Token | null} */ #held = null;
  // The user this tab works for, from the first token to the next `start`.
  /** @type {string | null} */ #subject = null;
  // Why no token can be had: ended or closed.
  /** @type {SessionError | null} */ #over = null;
  // Sessions known to be over: an answer that was on its way must not revive one.
  /** @type {Set<string>} */ #ended = new Set();
  // The refresh in flight.
  /** @type {{ promise: Promise<Token>, controller: AbortController } | null} */ #flight = null;
  // The server's last Retry-After.
  /** @type {{ error: SessionError, until: number } | null} */ #busy = null;
  /** @type {number | undefined} */ #skew;
  /** @type {any} */ #timer;
  /** @type {BroadcastChannel | null} */ #channel = null;
  #closing = new AbortController();

  /** @param {SessionOptions} [options] */
  constructor({ baseUrl = "/", apiOrigins, keepFresh = false, environment } = {}) {
    super();
    this.#env = { ...browser(), ...environment };
    const page = globalThis.location?.href; // not document.baseURI: a <base> must not say who gets the token
    this.#baseUrl = new URL(baseUrl, page).href.replace(/\/+$/, "");
    const origins = apiOrigins ?? [this.#baseUrl, ...(page ? [page] : [])];
    this.#origins = new Set(origins.map((url) => new URL(url).origin));
    this.#origins.delete("null"); // the origin of every sandboxed page, data: and file: URL alike
    this.#keepFresh = keepFresh;

    const { window, document } = this.#env;
    const options = { signal: this.#closing.signal };
    // A sleeping tab's timers are late, so coming back is the moment to look at the clock.
    document?.addEventListener("visibilitychange", () => this.#check(), options);
    // An open channel may keep the page out of the back/forward cache.
    window?.addEventListener("pagehide", () => this.#closeChannel(), options);
    window?.addEventListener(
      "pageshow",
      (event) => this.#wake(/** @type {PageTransitionEvent} */ (event)),
      options,
    );
    this.#openChannel();
    this.#tell({ type: "ask" }); // a tab that has a token spares this one a refresh, if it answers in time
  }

  // ---- what an application uses -----------------------------------------------------------------

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
  async fetch(input, init) {
    const request = new Request(input instanceof Request ? input.clone() : input, init);
    if (!this.#origins.has(new URL(request.url).origin) || request.headers.has("authorization")) {
      return this.#env.fetch(request);
    }
    const again = init?.body instanceof ReadableStream ? undefined : () => new Request(input, init);
    return this.#authorized(request, again);
  }

  /**
   * An access token that is valid now. One that is merely near its end is returned while the next is
   * fetched behind it, so that nobody waits and a passing fault of the server goes unnoticed.
   *
   * @param {Abortable} [options]
   * @returns {Promise<string>}
   */
  async accessToken({ signal } = {}) {
    signal?.throwIfAborted();
    const held = this.#held;
    const now = this.#env.now();
    if (held && now < held.staleAt) return held.raw;
    const renewal = this.#renew();
    if (held && now < held.deadAt) {
      renewal.catch(ignore);
      return held.raw;
    }
    return (await abortable(renewal, signal)).raw;
  }

  /**
   * An access token newer than the present one, or the one that is already on its way.
   *
   * @param {Abortable} [options]
   * @returns {Promise<string>}
   */
  async refresh({ signal } = {}) {
    return (await abortable(this.#renew(), signal)).raw;
  }

  /**
   * Begins a session, right after sign-in has set the cookie. Without a token, one is fetched when needed.
   *
   * @param {string} [accessToken]
   */
  start(accessToken) {
    if (this.#closing.signal.aborted) throw this.#over;
    const token = accessToken === undefined ? null : this.#read(accessToken, this.#skew, false);
    this.#over = this.#busy = this.#subject = this.#held = null;
    if (token) this.#hold(token);
    this.#stopFlight(new DOMException("A new session was started.", "AbortError"));
    if (token) this.#tell({ type: "token", raw: token.raw, skew: token.skew });
  }

  /**
   * Signs out in every tab at once, then has the server end the session. Rejects when the server could not
   * be told: the cookie is then still there, and the user should know.
   *
   * @param {Abortable} [options]
   */
  async logout({ signal } = {}) {
    if (this.#closing.signal.aborted) throw this.#over;
    // The tabs first: it makes one that is refreshing let go of the lock.
    this.#end("logout");
    const stop = signal ?? new AbortController().signal; // not #closing: a page may close right after
    try {
      await this.#persist(() => this.#exclusively(() => this.#call("/revoke_token", stop), stop), stop);
    } catch (error) {
      if (!endReason(error)) throw error; // else there was nothing left to end
    }
  }

  /**
   * The user's live sessions, on all devices.
   *
   * @param {Abortable} [options]
   * @returns {Promise<SessionInfo[]>}
   */
  async listSessions({ signal } = {}) {
    return (await this.#api("GET", "/sessions", signal)).sessions;
  }

  /**
   * Ends one of the user's sessions; this one too, if it is the one.
   *
   * @param {string} id
   * @param {Abortable} [options]
   */
  async endSession(id, { signal } = {}) {
    await this.#api("DELETE", `/sessions/${encodeURIComponent(id)}`, signal);
    if (id === this.#held?.sid) this.#end("logout");
  }

  /**
   * Ends all of the user's sessions but this one: "sign out everywhere else".
   *
   * @param {Abortable} [options]
   */
  async endOtherSessions({ signal } = {}) {
    await this.#api("DELETE", "/sessions?except=current", signal);
  }

  /**
   * Ends all of the user's sessions, this one included.
   *
   * @param {Abortable} [options]
   */
  async endAllSessions({ signal } = {}) {
    await this.#api("DELETE", "/sessions", signal);
    this.#end("logout");
  }

  /** Lets go of everything in this tab: the token, timers, listeners. The session itself lives on. */
  close() {
    this.#over = new SessionError("The session object is closed.");
    this.#held = null;
    this.#env.clearTimeout(this.#timer);
    this.#stopFlight(this.#over);
    this.#closeChannel();
    this.#closing.abort(this.#over);
  }

  // ---- one refresh at a time --------------------------------------------------------------------

  /** Joins the refresh in flight, or begins it. @returns {Promise<Token>} */
  #renew() {
    if (this.#over) return Promise.reject(this.#over);
    if (!this.#flight) {
      const controller = new AbortController();
      const promise = this.#rotate(this.#held, controller.signal).finally(() => {
        if (this.#flight?.controller === controller) this.#flight = null;
      });
      this.#flight = { promise, controller };
    }
    return this.#flight.promise;
  }

  /**
   * Replaces the token `stale`: by one that another tab brings meanwhile, else by the server's.
   *
   * @param {Token | null} stale
   * @param {AbortSignal} signal
   * @returns {Promise<Token>}
   */
  async #rotate(stale, signal) {
    const replacement = () => (this.#held && this.#held !== stale ? this.#held : null);
    /** @param {boolean} contended */
    const attempt = async (contended) => {
      // Whoever had the lock has told its token, but a message may arrive later than the lock.
      if (contended && !replacement()) await this.#askPeers(signal);
      signal.throwIfAborted();
      return replacement() ?? this.#refreshOnce(signal);
    };
    try {
      return await this.#persist(() => this.#exclusively(attempt, signal), signal);
    } catch (error) {
      const token = replacement(); // it failed, but another tab or a sign-in has succeeded
      if (token) return token;
      if (endReason(error) !== "key_not_proven") throw error;
      this.#end("key_not_proven", /** @type {SessionError} */ (error)); // here alone: others may have the key
      throw this.#over;
    }
  }

  /** One try at the server. @param {AbortSignal} signal @returns {Promise<Token>} */
  async #refreshOnce(signal) {
    const before = this.#held;
    try {
      const { data, skew } = await this.#call("/refresh_token", signal);
      signal.throwIfAborted();
      if (this.#held && this.#held !== before) return this.#held; // a sign-in overtook the answer
      const token = this.#read(data.access_token, skew, true);
      this.#skew = token.skew;
      this.#accept(token, "server");
      this.#tell({ type: "token", raw: token.raw, skew: token.skew });
      return token;
    } catch (error) {
      const reason = endReason(error);
      if (!reason || reason === "key_not_proven" || this.#held !== before) throw error;
      this.#end(reason, /** @type {SessionError} */ (error)); // before the lock goes to the next tab
      throw this.#over;
    }
  }

  /**
   * Runs `work` while no other tab does. The lock is held for one try, not while pausing, and waiting for it
   * is bounded: a lock that a frozen tab never gives back must not lock everybody out. Going on
   * without it is safe, only wasteful.
   *
   * @template T
   * @param {(contended: boolean) => Promise<T>} work
   * @param {AbortSignal} signal
   * @returns {Promise<T>}
   */
  async #exclusively(work, signal) {
    const { locks } = this.#env;
    if (!locks) return work(false);
    const name = `nuovo ${this.#baseUrl}`;
    const waiting = new AbortController();
    const stop = () => waiting.abort();
    const timer = this.#env.setTimeout(stop, LOCK_WITHIN);
    signal.addEventListener("abort", stop, { once: true });
    let begun = false;
    /** @param {boolean} contended */
    const begin = (contended) => {
      begun = true;
      this.#env.clearTimeout(timer);
      return work(contended);
    };
    try {
      const unlessTaken = { ifAvailable: true };
      const free = await locks.request(
        name,
        unlessTaken,
        async (lock) => lock && { value: await begin(false) },
      );
      if (free) return free.value;
      return await locks.request(name, { signal: waiting.signal }, () => begin(true));
    } catch (error) {
      if (begun) throw error;
      return begin(true); // no lock in time, or none for this page at all
    } finally {
      this.#env.clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  // ---- what the tab knows -----------------------------------------------------------------------

  /**
   * Works out when a token must be renewed. Its claims are read, not verified: they serve timing alone.
   *
   * The local clock may be wrong by hours, so the server's counts: from the `Date` header, whose resolution
   * of a second is well within LATE. Cross-origin, that header is invisible unless the server exposes it;
   * then a new token's `iat` is taken for the server's time. So it is when the `Date` contradicts the token:
   * one that were born stale would have every request refresh.
   *
   * Date.now() is used rather than performance.now(), which stands still while some systems sleep.
   *
   * @param {unknown} raw
   * @param {number | undefined} skew
   * @param {boolean} minted
   * @returns {Token}
   */
  #read(raw, skew, minted) {
    const claims = decode(raw);
    const now = this.#env.now();
    const [iat, exp] = [claims.iat * 1000, claims.exp * 1000];
    const life = exp - iat;
    // Jittered, so that tabs and devices do not all come at the same moment.
    const early = Math.min(EARLY, life * 0.3) * (0.5 + this.#env.random() / 2);
    const bornNow = iat - now;
    if (skew === undefined || (minted && (skew < bornNow || exp - skew - early <= now))) skew = bornNow;
    const end = exp - skew;
    const { sub, sid } = claims;
    const deadAt = end - Math.min(LATE, life * 0.1);
    return { raw: String(raw), sub, sid, minted, iat, skew, staleAt: end - early, deadAt };
  }

  /**
   * Takes a token, unless it is another user's or of a session that is over.
   *
   * @param {Token} token @param {"server" | "tab"} source
   */
  #accept(token, source) {
    if (this.#ended.has(token.sid)) {
      if (source === "server") this.#end("logout"); // it was on its way when the session ended
      throw new SessionEndedError("logout");
    }
    if (this.#subject !== null && token.sub !== this.#subject) {
      this.#end("user_changed");
      throw this.#over;
    }
    this.#over = null;
    this.#hold(token);
    this.dispatchEvent(new CustomEvent("refreshed", { detail: { source } }));
  }

  /** @param {Token} token */
  #hold(token) {
    this.#held = token;
    this.#subject = token.sub;
    this.#schedule(token.staleAt - this.#env.now());
  }

  /**
   * The only way a session ends in this tab.
   *
   * @param {EndReason} reason @param {SessionError} [cause] @param {boolean} [tell] whether to tell the others
   */
  #end(reason, cause, tell = !OF_THIS_TAB.has(reason)) {
    if (this.#over) return;
    const sid = this.#held?.sid ?? null;
    const error = (this.#over = new SessionEndedError(reason, cause));
    this.#held = null;
    this.#env.clearTimeout(this.#timer);
    // Without a key the session is not over: another tab may be given a token of it.
    if (sid && reason !== "key_not_proven") this.#ended.add(sid);
    this.#stopFlight(error);
    // A tab that never had a token does not know which session it speaks of, except when signing out.
    if (tell && (sid || reason === "logout")) this.#tell({ type: "ended", sid, reason });
    this.dispatchEvent(new CustomEvent("ended", { detail: { reason, message: error.message } }));
  }

  /** @param {Error} reason */
  #stopFlight(reason) {
    const flight = this.#flight;
    this.#flight = null;
    flight?.controller.abort(reason);
  }

  /** @param {number} ms */
  #schedule(ms) {
    this.#env.clearTimeout(this.#timer);
    if (!this.#keepFresh) return;
    this.#timer = this.#env.setTimeout(() => this.#check(), Math.min(Math.max(ms, 0), TIMER_LIMIT));
  }

  /** Renews a stale token if somebody is looking. */
  #check() {
    const held = this.#held;
    if (!held || this.#env.document?.visibilityState === "hidden") return;
    const left = held.staleAt - this.#env.now();
    if (left > 0) this.#schedule(left);
    else this.#renew().catch(() => this.#held && this.#schedule(LONGEST_PAUSE));
  }

  /** @param {PageTransitionEvent} event */
  #wake({ persisted }) {
    if (!persisted) return;
    this.#openChannel();
    // Out of the back/forward cache: a logout may have gone unheard, so the server is asked.
    if (this.#held) this.#renew().catch(ignore);
  }

  // ---- the other tabs ---------------------------------------------------------------------------

  #openChannel() {
    if (this.#channel) return;
    try {
      this.#channel = this.#env.openChannel?.(`nuovo ${this.#baseUrl}`) ?? null;
      if (this.#channel) this.#channel.onmessage = ({ data }) => this.#hear(data);
    } catch {
      this.#channel = null; // refused to sandboxed pages; the tab goes on by itself
    }
  }

  #closeChannel() {
    this.#channel?.close();
    this.#channel = null;
  }

  /**
   * @typedef {{ type: "ask" }
   *   | { type: "token", raw: string, skew: number }
   *   | { type: "ended", sid: string | null, reason: EndReason }} Message
   */

  /** @param {Message} message */
  #tell(message) {
    this.#channel?.postMessage(message);
  }

  /** @param {Message} message */
  #hear(message) {
    const held = this.#held;
    if (message.type === "ask") {
      if (held && this.#env.now() < held.staleAt)
        this.#tell({ type: "token", raw: held.raw, skew: held.skew });
    } else if (message.type === "ended") {
      if (message.sid) this.#ended.add(message.sid);
      if (message.sid === null || message.sid === held?.sid) this.#end(message.reason, undefined, false);
    } else if (message.type === "token") {
      try {
        const token = { ...this.#read(message.raw, message.skew, false), minted: true };
        if (held && (token.raw === held.raw || token.iat < held.iat)) return;
        // Two users in one browser: the cookie can only be one's, so the server says whose.
        if (held && token.sub !== held.sub) this.#renew().catch(ignore);
        else this.#accept(token, "tab");
      } catch {
        // malformed, or of a session that is over
      }
    }
  }

  /** @param {AbortSignal} signal */
  async #askPeers(signal) {
    if (!this.#channel) return;
    this.#tell({ type: "ask" });
    await this.#pause(PEERS_ANSWER_WITHIN, signal, this, "refreshed");
  }

  // ---- the server -------------------------------------------------------------------------------

  /**
   * Sends `request` with the access token, and after a 401 `again()` with a newer one.
   *
   * @param {Request} request @param {() => Request} [again]
   */
  async #authorized(request, again) {
    const { signal } = request;
    /** @param {Request} request @param {string} token */
    const send = (request, token) => {
      request.headers.set("authorization", `Bearer ${token}`);
      return this.#env.fetch(request);
    };
    const token = await this.accessToken({ signal });
    const response = await send(request, token);
    if (response.status !== 401) return response;

    const held = this.#held?.raw === token ? this.#held : null; // else it has been replaced since
    // Refused when brand-new: it is not its age, and renewing with every request would be a storm.
    if (held?.minted && this.#env.now() + held.skew - held.iat < JUST_MADE) return response;
    const next = held ? this.refresh({ signal }) : this.accessToken({ signal });
    if (!again) {
      next.catch(ignore);
      return response;
    }
    response.body?.cancel().catch(ignore);
    return send(again(), await next);
  }

  /**
   * A request about sessions. Like an application's own requests, it is not repeated when the network fails.
   *
   * @param {string} method @param {string} path @param {AbortSignal | null} [signal]
   * @returns {Promise<any>} the answer's `data`
   */
  async #api(method, path, signal) {
    // The cookie is not needed, but is to go when its session does, and another origin could not remove it.
    const request = () => new Request(this.#baseUrl + path, { method, signal, credentials: "include" });
    const response = await this.#authorized(request(), request);
    return open(response, await response.text(), this.#env.now());
  }

  /**
   * A request with the cookie, made once.
   *
   * @param {string} path
   * @param {AbortSignal} signal
   * @returns {Promise<{ data: any, skew: number | undefined }>}
   */
  async #call(path, signal) {
    const limit = new AbortController();
    const stop = () => limit.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", stop, { once: true });
    const late = new SessionError("The server did not answer in time.", { retryable: true });
    const timer = this.#env.setTimeout(() => limit.abort(late), ANSWER_WITHIN);
    try {
      const answer = this.#env.fetch(this.#baseUrl + path, {
        method: "POST",
        credentials: "include",
        cache: "no-store",
        redirect: "error",
        keepalive: true, // a page that is left meanwhile still lets the browser store the new cookie
        signal: limit.signal,
      });
      const response = await abortable(answer, limit.signal);
      const now = this.#env.now();
      const date = Date.parse(response.headers.get("date") ?? "");
      const text = await abortable(response.text(), limit.signal);
      return { data: open(response, text, now), skew: Number.isNaN(date) ? undefined : date - now };
    } catch (error) {
      if (limit.signal.aborted) throw limit.signal.reason;
      if (error instanceof SessionError) throw error;
      throw new SessionError("The server could not be reached.", { retryable: true, cause: error });
    } finally {
      this.#env.clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  /**
   * Repeats `work` while it fails for a reason that may pass. A Retry-After binds later calls as well; one
   * that is too long to wait for is the caller's to know. Offline, it waits to be online again, which is no
   * try; `navigator.onLine` can be wrong, so it is asked only after a failure, and looked past now and then.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @param {AbortSignal} signal
   * @returns {Promise<T>}
   */
  async #persist(work, signal) {
    for (let tries = 1; ; tries++) {
      const wait = (this.#busy?.until ?? 0) - this.#env.now();
      if (this.#busy && wait > LONGEST_PAUSE) throw this.#busy.error;
      if (wait > 0) await this.#pause(wait, signal);
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof SessionError && error.retryable)) throw error;
        const pause =
          Math.min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE) * (0.5 + this.#env.random() / 2);
        // All who were refused were told the same time: they come back spread out.
        if (error.retryAfter) this.#busy = { error, until: this.#env.now() + error.retryAfter + pause };
        if (error.status === 0 && !this.#env.isOnline()) {
          tries--;
          await this.#pause(LONGEST_PAUSE, signal, this.#env.window, "online");
        } else if (tries >= TRIES) {
          throw error;
        } else if (!error.retryAfter) {
          await this.#pause(pause, signal);
        }
      }
    }
  }

  /**
   * Resolves after `ms`, or sooner when `type` happens to `target`.
   *
   * @param {number} ms @param {AbortSignal} signal @param {EventTarget} [target] @param {string} [type]
   */
  async #pause(ms, signal, target, type = "") {
    const over = new AbortController();
    /** @type {any} */ let timer;
    const pause = new Promise((resolve) => {
      timer = this.#env.setTimeout(() => resolve(undefined), ms);
      target?.addEventListener(type, resolve, { once: true, signal: over.signal });
    });
    try {
      await abortable(pause, signal);
    } finally {
      this.#env.clearTimeout(timer);
      over.abort();
    }
  }
}

/** What the browser provides, looked up when it is used. @returns {Environment} */
function browser() {
  const { navigator, document, BroadcastChannel } = globalThis;
  return {
    fetch: (input, init) => globalThis.fetch(input, init),
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
    isOnline: () => navigator?.onLine !== false,
    locks: navigator?.locks,
    openChannel: BroadcastChannel && ((name) => new BroadcastChannel(name)),
    window: typeof globalThis.addEventListener === "function" ? globalThis : undefined,
    document,
  };
}

/**
 * The claims of a JWT, unverified.
 *
 * @param {unknown} raw
 * @returns {{ sub: string, sid: string, iat: number, exp: number }}
 */
function decode(raw) {
  try {
    const part = /** @type {string} */ (raw).split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    if (Number.isFinite(claims.iat) && Number.isFinite(claims.exp)) return claims;
  } catch {
    // said below
  }
  throw new SessionError("That is not an access token of Nuovo."); // never quoted: it may be a good one
}

/**
 * The envelope's `data`, or the error it tells. An answer in no envelope comes from something in between
 * (a captive portal, a proxy's page), so a success like that is one of the network's failures.
 *
 * @param {Response} response @param {string} text @param {number} now
 * @returns {any}
 */
function open({ status, headers }, text, now) {
  /** @type {any} */ let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (status >= 200 && status < 300 && body?.status === "success") return body.data;
  const foreign = status < 400;
  const message = foreign
    ? "That was not an answer of Nuovo."
    : (body?.message ?? `The server answered ${status}.`);
  const unproven = status === 401 && message === UNPROVEN; // the browser may be making or proving its key
  const retryable = foreign || unproven || status === 408 || status === 429 || status >= 500;
  throw new SessionError(String(message), {
    status,
    retryable,
    retryAfter: retryable ? retryAfter(headers.get("retry-after"), headers.get("date"), now) : undefined,
  });
}

/**
 * Retry-After in milliseconds; it comes as seconds or as a date of the server's clock.
 *
 * @param {string | null} value @param {string | null} date @param {number} now
 */
function retryAfter(value, date, now) {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const wait = Date.parse(value) - (Date.parse(date ?? "") || now);
  return wait > 0 ? wait : undefined;
}

/** Why a refusal ends the session, if it does. @param {unknown} error @returns {EndReason | undefined} */
function endReason(error) {
  if (!(error instanceof SessionError)) return undefined;
  // Any other 404 is a wrong address, and tells nothing about the session.
  if (error.status === 404 && error.message === "User not found.") return "user_gone";
  if (error.status !== 401) return undefined;
  if (error.message === "Refresh token missing.") return "missing";
  if (error.message === UNPROVEN) return "key_not_proven";
  return error.message === "Refresh token has expired." ? "expired" : "invalid";
}

/**
 * The promise's outcome, or the signal's, whichever is first.
 *
 * @template T
 * @param {Promise<T>} promise @param {AbortSignal | null} [signal]
 * @returns {Promise<T>}
 */
function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function ignore() {}
