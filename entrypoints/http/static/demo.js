/** The page at /demo: what a session does, to watch. It shows more than a real page should know. */
import { createSession, SessionEndedError, SessionError } from "../client.js";

const session = createSession({ baseUrl: "." });
const byId = (id) => document.getElementById(id);

/** The claims of a JWT, unverified: for showing them. */
function claimsOf(token) {
  const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
  return JSON.parse(atob(part));
}

/** An element; no text that it is given is ever taken for markup. */
function element(tag, { className = "", text = "" } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...(text ? [text] : []), ...children);
  return made;
}

function button(text, label, work) {
  const made = element("button", { text });
  made.type = "button";
  made.setAttribute("aria-label", label);
  onPress(made, work);
  return made;
}

/** Runs `work` when the button is pressed, one press at a time. The button keeps the focus meanwhile. */
function onPress(pressed, work) {
  pressed.addEventListener("click", async () => {
    if (pressed.getAttribute("aria-disabled") === "true") return;
    pressed.setAttribute("aria-disabled", "true");
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      // An ended session has its own line, from its event.
      if (!(error instanceof SessionEndedError)) tell(error.message, "bad");
    } finally {
      pressed.removeAttribute("aria-disabled");
    }
  });
}

/** Hides and shows, and does not let the focus vanish with what is hidden. */
function show(shown, hidden, title) {
  const focused = hidden.contains(document.activeElement);
  hidden.hidden = true;
  shown.hidden = false;
  if (focused) title.focus();
}

function badge(made, text, kind) {
  made.textContent = text;
  made.className = kind ? `badge ${kind}` : "badge";
}

// ---- the log ------------------------------------------------------------------------------------

const LINES = 100;

function tell(text, kind = "") {
  const now = new Date();
  const time = element("time", { text: now.toLocaleTimeString("en-GB") });
  time.dateTime = now.toISOString();
  byId("log").prepend(element("li", {}, time, element("span", { className: kind, text })));
  byId("log-empty").hidden = true;
  while (byId("log").childElementCount > LINES) byId("log").lastElementChild.remove();
}

// ---- this browser -------------------------------------------------------------------------------

const FROM = { server: "from the server", tab: "from another tab" };
const WHY = {
  missing:
    "The browser has no cookie: it was removed, or never kept. Safari keeps no secure cookie of http://localhost.",
  expired: "The session has expired.",
  invalid: "The session was ended elsewhere.",
  user_gone: "The user does not exist any more.",
  user_changed: "Another user has signed in.",
  logout: "Signed out.",
};

let claims = null; // of this tab's access token

/** Whether to ask for a token when the page opens. It is no secret, and spares visitors a refusal. */
const remembered = {
  key: "nuovo-demo-signed-in",
  get: () => attempt(() => localStorage.getItem(remembered.key)) !== null,
  set: (value) =>
    attempt(() =>
      value ? localStorage.setItem(remembered.key, "yes") : localStorage.removeItem(remembered.key),
    ),
};

function attempt(work) {
  try {
    return work() ?? null;
  } catch {
    return null; // storage is switched off
  }
}

async function signIn(transport) {
  const response = await fetch("demo/sign_in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ transport }),
  });
  const answer = await response.json();
  if (!response.ok) throw new SessionError(answer.message, { status: response.status });
  return answer.data;
}

function signedIn(token, source) {
  claims = claimsOf(token);
  remembered.set(true);
  byId("token-id").textContent = claims.jti;
  byId("token-sid").textContent = claims.sid;
  byId("token-sub").textContent = claims.sub;
  byId("token-source").textContent = source;
  badge(byId("state"), `signed in as ${claims.sub}`, "good");
  show(byId("signed-in"), byId("signed-out"), byId("browser-title"));
  tick();
}

function signedOut(reason) {
  claims = null;
  if (reason !== "user_changed") remembered.set(false);
  badge(byId("state"), "signed out");
  show(byId("signed-out"), byId("signed-in"), byId("browser-title"));
  showSessions([]);
}

session.addEventListener("refreshed", async ({ detail }) => {
  const wasSignedOut = claims === null;
  signedIn(await session.accessToken(), FROM[detail.source]);
  tell(`A new access token, ${FROM[detail.source]}.`);
  if (wasSignedOut) await loadSessions();
});

session.addEventListener("ended", ({ detail }) => {
  signedOut(detail.reason);
  tell(WHY[detail.reason], detail.reason === "logout" ? "" : "warn");
});

onPress(byId("sign-in"), async () => {
  const { access_token: token } = await signIn("cookie");
  session.start(token);
  signedIn(token, "with the sign-in");
  tell("Signed in. The refresh token went into the cookie.", "good");
  await loadSessions();
});

onPress(byId("refresh"), () => session.refresh());

onPress(byId("storm"), async () => {
  const tokens = await Promise.all(Array.from({ length: 5 }, () => session.refresh()));
  tell(`5 calls, ${new Set(tokens).size} request: calls that come together share one.`);
});

onPress(byId("log-out"), () => session.logout());

function tick() {
  if (claims === null) return;
  const life = claims.exp - claims.iat;
  const left = Math.max(0, claims.exp - Date.now() / 1000);
  const seconds = Math.ceil(left);
  byId("left").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  byId("ring").setAttribute("stroke-dashoffset", String(100 - Math.min(100, (100 * left) / life)));
  byId("ring").setAttribute("class", left === 0 ? "ring gone" : left < 0.3 * life ? "ring low" : "ring");
  byId("life-hint").textContent =
    left > 0 ? "" : "It has expired. That is no log-out: the next request renews it first. Reload the list of sessions.";
}

// ---- the user's sessions ------------------------------------------------------------------------

const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function ago(instant) {
  const seconds = Math.round(instant - Date.now() / 1000);
  for (const [unit, size] of [["day", 86_400], ["hour", 3_600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return AGO.format(Math.trunc(seconds / size), unit);
  }
  return Math.abs(seconds) < 10 ? "just now" : AGO.format(seconds, "second");
}

async function loadSessions() {
  showSessions(await session.listSessions());
}

function showSessions(sessions) {
  const list = byId("sessions");
  const focused = list.contains(document.activeElement);
  list.replaceChildren(...sessions.map(sessionRow));
  if (focused) byId("sessions-title").focus();
  byId("sessions-empty").hidden = sessions.length > 0;
  byId("sessions-actions").hidden = sessions.length === 0;
  badge(byId("session-count"), `${sessions.length} live`);
  byId("session-count").hidden = sessions.length === 0;
}

function sessionRow({ id, device, started_at: started, last_seen_at: seen, current }) {
  const name = element("strong", { text: device || "Unnamed device" });
  if (current) name.append(element("span", { className: "badge good", text: "this one" }));
  const times = `signed in ${ago(started)}, last used ${ago(seen)}`;
  const end = button("End", `End the session on ${device}`, async () => {
    await session.endSession(id);
    tell(`The session on ${device} was ended.`);
    if (!current) await loadSessions();
  });
  return element("li", {}, name, element("small", { text: times }), end);
}

onPress(byId("reload-sessions"), loadSessions);
onPress(byId("end-all"), () => session.endAllSessions());

// ---- the experiment with old tokens -------------------------------------------------------------

const experiment = { tokens: [], parent: null, grace: 0, over: false };
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Signs in and refreshes twice before there is anything to press: a thief has a token that is two steps behind. */
onPress(byId("begin"), async () => {
  const { refresh_token: raw, replay_grace: grace } = await signIn("header");
  Object.assign(experiment, { tokens: [], parent: null, grace, over: false });
  byId("grace").textContent = String(grace);
  byId("tokens").replaceChildren();
  hold(raw);
  if (claims) await loadSessions();
  await present(experiment.tokens[0]);
  if (experiment.parent === null) return;
  outcome("", `Token 1 was traded for token 2. Token 2 rotates when ${grace} seconds are over …`);
  await pause(grace + 1);
  await present(experiment.tokens[1]);
  byId("begin").textContent = "Begin again";
  drawTokens();
});

/** Keeps a token that came back, and tells whether it was new. */
function hold(raw) {
  const { gen } = claimsOf(raw);
  if (experiment.tokens.some((token) => token.gen === gen)) return false;
  for (const token of experiment.tokens) token.replacedAt ??= Date.now();
  experiment.tokens.push({ raw, gen, replacedAt: null });
  if (byId("tokens").hasChildNodes()) drawTokens();
  return true;
}

async function present(token) {
  const wasCurrent = token.replacedAt === null;
  const response = await fetch("refresh_token", {
    method: "POST",
    headers: { Authorization: `Bearer ${token.raw}` },
    credentials: "omit",
  });
  const { data, message } = await response.json();
  if (response.ok) {
    const isNew = hold(data.refresh_token);
    if (isNew) experiment.parent = token;
    const { gen } = claimsOf(data.refresh_token);
    if (wasCurrent && isNew) outcome("good", `200. Token ${token.gen} was traded for token ${gen}.`);
    else if (wasCurrent)
      outcome("good", `200. The session has just rotated: the current token ${gen} came back once more.`);
    else if (isNew)
      outcome(
        "warn",
        `200. The grace is over, and nobody had used the successor of token ${token.gen}: its answer counts as lost. ` +
          `Here is token ${gen}. Token ${gen - 1} is left behind: present it, and the session ends.`,
      );
    else
      outcome(
        "good",
        `200. Token ${token.gen} was replaced a moment ago: the current token ${gen} came back once more. ` +
          "Two tabs or a retry would go on unharmed, and there is still one live token.",
      );
  } else if (response.status === 401) {
    const again = experiment.over;
    experiment.over = true;
    outcome(
      "bad",
      again
        ? `401 ${message} The session is over, for every one of its tokens.`
        : `401 ${message} Token ${token.gen} is neither the current one nor the one before it: ` +
            "somebody has stolen one of the two, so the whole session ended.",
    );
    drawTokens();
    if (!again && claims) await loadSessions();
  } else {
    outcome("bad", `${response.status} ${message}`);
  }
}

function outcome(kind, text) {
  byId("outcome").className = `outcome ${kind}`;
  byId("outcome").textContent = text;
}

function drawTokens() {
  const { tokens } = experiment;
  byId("tokens").replaceChildren(
    ...tokens.map((token) => {
      token.badge ??= element("span");
      token.note ??= element("small");
      token.row ??= element(
        "li",
        {},
        element("strong", { text: `Token ${token.gen}` }, token.badge),
        token.note,
        button("Present", `Present token ${token.gen}`, () => present(token)),
      );
      return token.row;
    }),
  );
  judgeTokens();
}

function judgeTokens() {
  const { tokens, parent, grace, over } = experiment;
  if (tokens.length === 0) return;
  badge(byId("thief-state"), over ? "ended" : "alive", over ? "bad" : "good");
  for (const token of tokens.filter(({ badge: mark }) => mark)) {
    const { replacedAt, badge: mark, note } = token;
    const age = replacedAt === null ? 0 : Math.floor((Date.now() - replacedAt) / 1000);
    if (replacedAt === null) {
      badge(mark, over ? "dead" : "current", over ? "bad" : "good");
      note.textContent = over ? "it ended with the session" : "the newest";
    } else {
      const inGrace = token === parent && age < grace;
      badge(mark, over ? "dead" : inGrace ? "in grace" : "old", over ? "bad" : inGrace ? "warn" : "");
      note.textContent = `replaced ${age} s ago`;
    }
  }
}

// ---- start --------------------------------------------------------------------------------------

setInterval(() => {
  tick();
  judgeTokens();
}, 500);

// A reload has forgotten the access token; the cookie, or another tab, brings one. A refusal is an event.
if (remembered.get()) session.accessToken().catch(() => {});
