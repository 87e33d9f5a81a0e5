/**
 * A browser and a server in one process, with time under control: tabs share a cookie, a lock manager and
 * channels, as they do in a browser, and nothing happens before the test lets time pass.
 */
import { createSession } from "../../entrypoints/http/static/client.js";

export const PAGE = "https://app.example";
export const NUOVO = "https://app.example/auth";
const START = Date.parse("2030-01-01T00:00:00Z");

/** Lets everything run that needs no time. */
export async function settle() {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

class Clock {
  #timers = new Map();
  #id = 0;
  now = START;

  setTimeout = (callback, ms) => {
    this.#timers.set(++this.#id, { at: this.now + ms, callback });
    return this.#id;
  };

  clearTimeout = (id) => void this.#timers.delete(id);

  sleep = (ms) => new Promise((resolve) => this.setTimeout(resolve, ms));

  get pending() {
    return this.#timers.size;
  }

  next() {
    return [...this.#timers].sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
  }

  /** Lets time pass, firing each timer at its moment. */
  async advance(ms) {
    const end = this.now + ms;
    await settle();
    for (let first = this.next(); first && first[1].at <= end; first = this.next()) {
      this.#timers.delete(first[0]);
      this.now = Math.max(this.now, first[1].at);
      first[1].callback();
      await settle();
    }
    this.now = end;
  }

  /** Lets as much time pass as the promise needs, an hour at most. */
  async until(promise) {
    let settled = false;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    const end = this.now + 3_600_000;
    for (await settle(); !settled;) {
      const first = this.next();
      if (!first || first[1].at > end) throw new Error("the promise never settles");
      await this.advance(first[1].at - this.now);
    }
    return promise;
  }

  /** Time passes, but timers do not fire: a machine asleep. */
  sleepThrough(ms) {
    this.now += ms;
  }
}

/** The Web Locks of one origin. */
class Locks {
  #held = new Set();
  #queue = [];

  request(name, options, callback) {
    return new Promise((resolve, reject) => {
      const grant = (lock) => Promise.resolve(lock).then(callback).then(resolve, reject);
      if (options.ifAvailable && this.#held.has(name)) return void grant(null);
      const waiter = { name, grant, resolve, reject };
      options.signal?.addEventListener("abort", () => {
        if (!this.#queue.includes(waiter)) return;
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(options.signal.reason);
      });
      this.#queue.push(waiter);
      this.#serve();
    });
  }

  /** A tab that holds the lock and never gives it back. */
  orphan(name) {
    this.request(name, {}, () => new Promise(() => {}));
  }

  #serve() {
    for (const waiter of [...this.#queue]) {
      if (this.#held.has(waiter.name)) continue;
      this.#queue.splice(this.#queue.indexOf(waiter), 1);
      this.#held.add(waiter.name);
      waiter.grant({ name: waiter.name, mode: "exclusive" }).then(() => {
        this.#held.delete(waiter.name);
        this.#serve();
      });
    }
  }
}

/** The broadcast channels of one origin; a message takes `latency` to arrive. */
class Channels {
  #open = new Set();
  latency = 1;
  messages = [];

  constructor(clock) {
    this.clock = clock;
  }

  open = (name) => {
    const channel = {
      name,
      onmessage: null,
      postMessage: (data) => {
        if (!this.#open.has(channel)) throw new DOMException("Channel is closed", "InvalidStateError");
        const message = structuredClone(data);
        this.messages.push(message);
        for (const other of this.#open) {
          if (other === channel || other.name !== name) continue;
          this.clock.setTimeout(
            () => this.#open.has(other) && other.onmessage?.({ data: message }),
            this.latency,
          );
        }
      },
      close: () => void this.#open.delete(channel),
    };
    this.#open.add(channel);
    return channel;
  };

  get count() {
    return this.#open.size;
  }
}

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Nuovo as section 5 of its design has it, and an API that takes its access tokens; one cookie jar. */
class Server {
  clockError = 0; // the server's clock minus the browser's
  exposesDate = true;
  latency = 20;
  ttl = 900;
  cookie = null; // the browser's refresh cookie: { sid, generation }
  sessions = new Map();
  requests = [];
  rotations = 0;
  /** One entry is used up for each request that it answers; null lets the request through. */
  faults = [];
  /** The network fails, whatever is asked. */
  down = false;
  #minted = 0;

  constructor(clock) {
    this.clock = clock;
  }

  get now() {
    return Math.floor((this.clock.now + this.clockError) / 1000);
  }

  signIn(sub = "anna-ä") {
    const sid = `session-${this.sessions.size + 1}`;
    this.sessions.set(sid, { sub, generation: 1, live: true });
    this.cookie = { sid, generation: 1 };
    return this.mint(sid);
  }

  mint(sid, claims = {}) {
    const { sub } = this.sessions.get(sid);
    const payload = {
      type: "access",
      sub,
      sid,
      jti: ++this.#minted,
      iat: this.now,
      exp: this.now + this.ttl,
      ...claims,
    };
    return `${b64({ alg: "HS256", typ: "at+jwt" })}.${b64(payload)}.c2lnbmF0dXJl`;
  }

  paths() {
    return this.requests.map(({ method, url }) => `${method} ${new URL(url).pathname}`);
  }

  count(path) {
    return this.requests.filter(({ url }) => new URL(url).pathname === path).length;
  }

  fetch = async (input, init) => {
    const request = new Request(input, init);
    const record = {
      method: request.method,
      url: request.url,
      authorization: request.headers.get("authorization"),
      credentials: request.credentials,
      keepalive: request.keepalive,
      cookie: this.cookie,
      at: this.clock.now,
      body: await request.text(),
    };
    this.requests.push(record);
    const aborted = new Promise((_, reject) => {
      const { signal } = init ?? request;
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
    aborted.catch(() => {});
    await Promise.race([this.clock.sleep(this.latency / 2), aborted]);
    if (this.down) throw new TypeError("Failed to fetch");
    const fault = this.faults.shift();
    const answer = fault ? fault(record, this) : this.answer(record);
    await Promise.race([
      Promise.resolve(answer).then((r) => this.clock.sleep(this.latency / 2).then(() => r)),
      aborted,
    ]);
    return answer;
  };

  answer(record) {
    const { pathname, search } = new URL(record.url);
    if (pathname === "/auth/refresh_token") return this.refresh(record);
    if (pathname === "/auth/revoke_token") return this.revoke(record);
    const token = record.authorization?.match(/^Bearer (.+)$/)?.[1];
    const claims = token && JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
    if (!claims || claims.exp <= this.now) return this.error(401, "Invalid access token.");
    const [, id] = pathname.match(/^\/auth\/sessions\/(.+)$/) ?? [];
    if (pathname === "/auth/sessions" && record.method === "GET") {
      const mine = [...this.sessions].filter(([, row]) => row.live && row.sub === claims.sub);
      return this.success({ sessions: mine.map(([sid]) => ({ id: sid, current: sid === claims.sid })) });
    }
    if (pathname.startsWith("/auth/sessions") && record.method === "DELETE") {
      const spared = search === "?except=current" ? claims.sid : null;
      for (const [sid, row] of this.sessions)
        if (sid !== spared && (!id || sid === decodeURIComponent(id))) row.live = false;
      return this.success({ message: "Ended." });
    }
    return this.success({ sub: claims.sub, body: record.body });
  }

  refresh(record) {
    // The cookie that the request carried, not the one that the jar has by now.
    const { cookie } = record;
    if (!cookie || record.credentials !== "include") return this.error(401, "Refresh token missing.");
    const row = this.sessions.get(cookie.sid);
    if (!row.live) {
      this.cookie = null;
      return this.error(401, "Invalid refresh token.");
    }
    if (cookie.generation === row.generation) {
      row.generation += 1;
      this.rotations += 1;
    }
    this.cookie = { sid: cookie.sid, generation: row.generation };
    return this.success({ access_token: this.mint(cookie.sid) });
  }

  revoke({ cookie }) {
    if (!cookie) return this.error(401, "Refresh token missing.");
    this.sessions.get(cookie.sid).live = false;
    this.cookie = null;
    return this.success({ message: "Refresh token revoked." });
  }

  success(data, headers) {
    return this.#json(200, { status: "success", code: 200, data }, headers);
  }

  error(code, message, headers) {
    return this.#json(code, { status: "error", code, message }, headers);
  }

  #json(status, body, headers = {}) {
    const date = this.exposesDate ? { date: new Date(this.now * 1000).toUTCString() } : {};
    return new Response(JSON.stringify(body), {
      status,
      headers: { "content-type": "application/json", ...date, ...headers },
    });
  }
}

/** A browser with its tabs. */
export class World {
  clock = new Clock();
  server = new Server(this.clock);
  locks = new Locks();
  channels = new Channels(this.clock);
  online = true;

  /** Opens a tab; `events` collects what its session says. */
  tab({ environment, ...options } = {}) {
    const window = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const session = createSession({
      baseUrl: NUOVO,
      apiOrigins: [PAGE],
      ...options,
      environment: {
        fetch: this.server.fetch,
        now: () => this.clock.now,
        random: () => 0.5,
        setTimeout: this.clock.setTimeout,
        clearTimeout: this.clock.clearTimeout,
        isOnline: () => this.online,
        locks: this.locks,
        openChannel: this.channels.open,
        window,
        document,
        ...environment,
      },
    });
    const events = [];
    session.addEventListener("ended", ({ detail }) => events.push(`ended: ${detail.reason}`));
    session.addEventListener("refreshed", ({ detail }) => events.push(`refreshed: ${detail.source}`));
    const show = (state) => {
      document.visibilityState = state;
      document.dispatchEvent(new Event("visibilitychange"));
    };
    return { session, events, window, document, show };
  }

  /** A tab whose user has just signed in. */
  async signedIn(options) {
    const tab = this.tab(options);
    await this.clock.advance(0);
    tab.session.start(this.server.signIn());
    await this.clock.advance(5);
    return tab;
  }

  until = (promise) => this.clock.until(promise);
  advance = (ms) => this.clock.advance(ms);
}
