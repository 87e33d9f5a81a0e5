"""Settings: their defaults, bounds and sources, and the words for what is wrong with them."""

from pathlib import Path

import pytest

from domain.model.sessions import SessionPolicy
from entrypoints.adoption_settings import AdoptionSettings
from entrypoints.settings import Settings, SettingsError, load_settings

KEY = "Y6f1nIfFzV9tq0uCk3J2wDqv8LxPZsa5bRmeH7Gg4To"
OTHER = "p0QwTz5XbU8nEo2LcVh6RyJkD3FsG9MiAa1Nq7StB4C"
DAY = 86_400
MAKE_ONE = "make a good one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
NO_SPAN = "must be whole seconds, or a number with a unit: 30s, 15m, 2h, 14d"
NOT_A_HOST_COOKIE = (
    "NUOVO_COOKIE_NAME begins with __Host-, so browsers refuse it unless NUOVO_COOKIE_PATH is / and"
    " NUOVO_COOKIE_DOMAIN is not set; set another NUOVO_COOKIE_NAME"
)


def load(**given: str) -> Settings:
    """Load settings from these names, without their prefix, and a good key."""
    return load_settings({"NUOVO_SECRET_KEY": KEY} | {f"NUOVO_{name}": value for name, value in given.items()})


def problems_of(**given: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(**given)
    return refused.value.problems


DEFAULTS: dict[str, object] = {
    "previous_secret_keys": [],
    "access_token_key": None,
    "access_token_verification_keys": [],
    "users_claims": [],
    "users_table": "nuovo_users",
    "users_id_column": "id",
    "users_active_column": None,
    "users_database_url": None,
    "issuer": "nuovo",
    "audience": "api",
    "client_id": "frontend",
    "access_token_ttl": 900,
    "refresh_token_ttl": 14 * DAY,
    "session_ttl": 60 * DAY,
    "rotation": True,
    "rotation_durability": "process",
    "replay_grace": 30,
    "lost_answer_recovery": DAY,
    "leeway": 0,
    "cookie_name": "__Host-refresh_token",
    "cookie_path": "/",
    "cookie_domain": None,
    "cookie_same_site": "Strict",
    "allowed_origins": [],
    "service_credentials": [],
    "metrics_credentials": [],
    "trusted_proxies": [],
    "log_format": "json",
    "log_level": "INFO",
    "demo": False,
    "public_url": None,
    "device_binding": "off",
    "dpop_access_tokens": False,
}


def test_defaults() -> None:
    """Every setting but the key has one."""
    settings = load()
    values = settings.model_dump()
    assert values.pop("secret_key").get_secret_value() == KEY
    assert values.pop("database_url").get_secret_value() == "sqlite:///nuovo.sqlite3"
    assert {name: value for name, value in values.items() if name not in AdoptionSettings.model_fields} == DEFAULTS
    assert not settings.adopts
    assert settings.policy == SessionPolicy()


@pytest.mark.parametrize(
    ("name", "smallest", "largest"),
    [
        ("ACCESS_TOKEN_TTL", 1, DAY),
        ("REFRESH_TOKEN_TTL", 1, 400 * DAY),
        ("SESSION_TTL", 1, 400 * DAY),
        ("REPLAY_GRACE", 0, 300),
        ("LOST_ANSWER_RECOVERY", 0, 7 * DAY),
        ("LEEWAY", 0, 300),
    ],
)
def test_spans_and_their_bounds(name: str, smallest: int, largest: int) -> None:
    others = {"ACCESS_TOKEN_TTL": "1", "REFRESH_TOKEN_TTL": "1", "SESSION_TTL": "1"}
    if name != "SESSION_TTL":
        others["SESSION_TTL"] = str(400 * DAY)
    if name == "ACCESS_TOKEN_TTL":
        others["REFRESH_TOKEN_TTL"] = str(400 * DAY)
    for value in (smallest, largest):
        loaded = load(**others | {name: str(value)})
        assert getattr(loaded, name.lower()) == value
        assert getattr(loaded.policy, name.lower()) == value
    for value, word in ((smallest - 1, "greater"), (largest + 1, "less")):
        (problem,) = problems_of(**others | {name: str(value)})
        assert problem.startswith(f"NUOVO_{name}: input should be {word} than or equal to ")
    for text in ("1.5", "one", "1e3", "15 minutes", "1m30s", "m", "1w", "٣"):
        assert problems_of(**others | {name: text}) == [f"NUOVO_{name}: {NO_SPAN}"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("2m", 120), ("2 m", 120), ("2h", 7_200), ("1d", DAY), ("0h", 0)]
)
def test_spans_may_have_a_unit(text: str, seconds: int) -> None:
    assert load(LOST_ANSWER_RECOVERY=text).lost_answer_recovery == seconds


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("on", True), ("false", False), ("0", False)])
def test_rotation(text: str, *, value: bool) -> None:
    settings = load(ROTATION=text)
    assert settings.rotation is settings.policy.rotation is value


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ROTATION", "off", "never"),
        ("ROTATION_DURABILITY", "disk", "tape"),
        ("COOKIE_SAME_SITE", "Lax", "lax"),
        ("LOG_FORMAT", "text", "xml"),
        ("LOG_LEVEL", "DEBUG", "debug"),
    ],
)
def test_choices(name: str, good: str, bad: str) -> None:
    load(**{name: good})
    (problem,) = problems_of(**{name: bad})
    assert problem.startswith(f"NUOVO_{name}: input should be ")


@pytest.mark.parametrize("name", ["ISSUER", "AUDIENCE", "CLIENT_ID", "USERS_TABLE", "USERS_ID_COLUMN"])
def test_names_have_a_length(name: str) -> None:
    assert getattr(load(**{name: "x" * 255}), name.lower()) == "x" * 255
    (problem,) = problems_of(**{name: "x" * 256})
    assert problem == f"NUOVO_{name}: string should have at most 255 characters"


def test_lists_are_separated_by_commas() -> None:
    settings = load(
        ALLOWED_ORIGINS=" https://a.example ,http://localhost:5173,, ",
        PREVIOUS_SECRET_KEYS=f"{OTHER}, {OTHER[::-1]}",
        SERVICE_CREDENTIALS=OTHER.swapcase(),
    )
    assert settings.allowed_origins == ["https://a.example", "http://localhost:5173"]
    assert [key.get_secret_value() for key in settings.previous_secret_keys] == [OTHER, OTHER[::-1]]
    assert [credential.get_secret_value() for credential in settings.service_credentials] == [OTHER.swapcase()]


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - {"secret_key"}))
def test_an_empty_variable_means_what_its_absence_means(name: str) -> None:
    assert load(**{name.upper(): ""}) == load()


def test_the_key_must_be_set() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({})
    (problem,) = refused.value.problems
    assert problem.startswith("NUOVO_SECRET_KEY is not set; make one with: ")


@pytest.mark.parametrize("name", ["SECRET_KEY", "PREVIOUS_SECRET_KEYS", "SERVICE_CREDENTIALS", "METRICS_CREDENTIALS"])
@pytest.mark.parametrize(
    ("secret", "weakness"),
    [
        ("x" * 31, "has 31 bytes; at least 32 are needed"),
        ("ab" * 32, "repeats a few characters"),
        ("your-256-bit-secret-your-256-bit-secret", "is a sample value that everybody knows"),
        ("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI", "is a key file (PEM or SSH); HS256 needs a random secret"),
    ],
)
def test_weak_secrets(name: str, secret: str, weakness: str) -> None:
    """Each is named, none is shown."""
    (problem,) = problems_of(**{name: secret})
    assert problem == f"NUOVO_{name} {weakness}; {MAKE_ONE}"
    assert secret not in problem


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"PREVIOUS_SECRET_KEYS": KEY},
            "NUOVO_PREVIOUS_SECRET_KEYS holds NUOVO_SECRET_KEY; previous keys must differ from it",
        ),
        (
            {"PREVIOUS_SECRET_KEYS": f"{OTHER},{OTHER}"},
            "NUOVO_PREVIOUS_SECRET_KEYS has the same secret twice; remove one",
        ),
        (
            {"SERVICE_CREDENTIALS": f"{OTHER},{OTHER}"},
            "NUOVO_SERVICE_CREDENTIALS has the same secret twice; remove one",
        ),
        (
            {"SERVICE_CREDENTIALS": OTHER, "METRICS_CREDENTIALS": OTHER},
            "NUOVO_METRICS_CREDENTIALS holds a key or a service credential; each secret must have one use",
        ),
        (
            {"SERVICE_CREDENTIALS": f"login:{OTHER}", "METRICS_CREDENTIALS": f"prometheus:{OTHER}"},
            "NUOVO_METRICS_CREDENTIALS holds a key or a service credential; each secret must have one use",
        ),
        (
            {"METRICS_CREDENTIALS": KEY},
            "NUOVO_METRICS_CREDENTIALS holds a key or a service credential; each secret must have one use",
        ),
        (
            {"TRUSTED_PROXIES": "10.0.0.1,proxy"},
            "NUOVO_TRUSTED_PROXIES: 'proxy' does not appear to be an IPv4 or IPv6 network",
        ),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "NUOVO_TRUSTED_PROXIES: 10.0.0.1/8 has host bits set"),
        ({"SERVICE_CREDENTIALS": KEY}, "NUOVO_SERVICE_CREDENTIALS holds a signing key; each secret must have one use"),
        (
            {"SERVICE_CREDENTIALS": OTHER, "PREVIOUS_SECRET_KEYS": OTHER},
            "NUOVO_SERVICE_CREDENTIALS holds a signing key; each secret must have one use",
        ),
        ({"AUDIENCE": "nuovo"}, "NUOVO_AUDIENCE must differ from NUOVO_ISSUER, the audience of refresh tokens"),
        (
            {"REFRESH_TOKEN_TTL": "600"},
            "NUOVO_ACCESS_TOKEN_TTL must not be longer than NUOVO_REFRESH_TOKEN_TTL",
        ),
        ({"SESSION_TTL": "86400"}, "NUOVO_REFRESH_TOKEN_TTL must not be longer than NUOVO_SESSION_TTL"),
        ({"COOKIE_NAME": "refresh token"}, "NUOVO_COOKIE_NAME must be letters, digits, _ and -"),
        ({"COOKIE_NAME": "a;b"}, "NUOVO_COOKIE_NAME must be letters, digits, _ and -"),
        (
            {"COOKIE_NAME": "r", "COOKIE_PATH": "auth"},
            "NUOVO_COOKIE_PATH must begin with / and hold neither spaces nor ;",
        ),
        (
            {"COOKIE_NAME": "r", "COOKIE_PATH": "/a; Secure"},
            "NUOVO_COOKIE_PATH must begin with / and hold neither spaces nor ;",
        ),
        (
            {"COOKIE_NAME": "r", "COOKIE_DOMAIN": "https://example.org"},
            "NUOVO_COOKIE_DOMAIN must be a host name such as example.org",
        ),
        (
            {"COOKIE_DOMAIN": "example.org"},
            NOT_A_HOST_COOKIE,
        ),
        (
            {"COOKIE_PATH": "/auth"},
            NOT_A_HOST_COOKIE,
        ),
    ],
)
def test_settings_that_are_at_odds(given: dict[str, str], problem: str) -> None:
    assert problems_of(**given) == [problem]


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "app.example.org",
        "https://App.example.org",
        "https://app.example.org/",
        "https://app.example.org:443",
        "http://app.example.org:80",
        "https://*.example.org",
        "https://user@app.example.org",
        "ftp://app.example.org",
    ],
)
def test_origins_must_be_as_browsers_send_them(origin: str) -> None:
    (problem,) = problems_of(ALLOWED_ORIGINS=f"https://good.example,{origin}")
    assert problem.startswith("NUOVO_ALLOWED_ORIGINS: every origin must be as browsers send it")


@pytest.mark.parametrize("origin", ["https://app.example.org:8443", "http://127.0.0.1:5173", "http://[::1]:3000"])
def test_origins_with_ports_and_addresses(origin: str) -> None:
    assert load(ALLOWED_ORIGINS=origin).allowed_origins == [origin]


def test_every_problem_is_reported_at_once() -> None:
    """Unknown names first, then what is wrong with the known ones."""
    assert problems_of(GRACE="1", SECRETKEY="x", AUDIENCE="nuovo", SERVICE_CREDENTIALS=KEY) == [
        "NUOVO_GRACE is no setting of Nuovo; see the table of settings in the README",
        "NUOVO_SECRETKEY is no setting of Nuovo; see the table of settings in the README",
        "NUOVO_SERVICE_CREDENTIALS holds a signing key; each secret must have one use",
        "NUOVO_AUDIENCE must differ from NUOVO_ISSUER, the audience of refresh tokens",
    ]


def test_wrong_values_do_not_hide_what_else_is_wrong() -> None:
    """But nothing is said about a wrong value beside another: it would be guesswork."""
    assert problems_of(LEEWAY="x", SECRET_KEY="short", AUDIENCE="nuovo", REFRESH_TOKEN_TTL="x", SESSION_TTL="1") == [
        f"NUOVO_REFRESH_TOKEN_TTL: {NO_SPAN}",
        f"NUOVO_LEEWAY: {NO_SPAN}",
        f"NUOVO_SECRET_KEY has 5 bytes; at least 32 are needed; {MAKE_ONE}",
        "NUOVO_AUDIENCE must differ from NUOVO_ISSUER, the audience of refresh tokens",
    ]
    with pytest.raises(SettingsError) as refused:
        load_settings({"NUOVO_AUDIENCE": "nuovo"})
    assert [problem.partition(" ")[0] for problem in refused.value.problems] == ["NUOVO_SECRET_KEY", "NUOVO_AUDIENCE"]


def test_no_problem_shows_a_secret() -> None:
    secret = "hunter2-hunter2-hunter2-hunter"
    shown = "\n".join(
        problems_of(
            SECRET_KEY=secret,
            PREVIOUS_SECRET_KEYS=secret,
            SERVICE_CREDENTIALS=secret,
            DATABASE_URL=f"postgresql://nuovo:{secret}@db/nuovo",
            SECRET_KEI=secret,
            LEEWAY=secret,
        )
    )
    assert len(shown.splitlines()) >= 6
    assert "hunter2" not in shown


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_any_setting_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    """Without the line break that editors put at its end."""
    value = {"secret_key": OTHER, "users_database_url": "sqlite:///users.sqlite3"}.get(name)
    if value is None:
        default = DEFAULTS.get(name)
        value = str(default) if isinstance(default, str | int) else ""
    (tmp_path / "value").write_text(f"{value}\n", encoding="utf-8")
    from_file = load_settings(
        {
            **({} if name == "secret_key" else {"NUOVO_SECRET_KEY": KEY}),
            f"NUOVO_{name.upper()}_FILE": str(tmp_path / "value"),
        }
    )
    assert from_file == load(**{name.upper(): value})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert problems_of(ISSUER_FILE=str(tmp_path / "missing"), CLIENT_ID_FILE=str(tmp_path / "bytes")) == [
        "NUOVO_CLIENT_ID_FILE names a file that cannot be read: UnicodeDecodeError",
        "NUOVO_ISSUER_FILE names a file that cannot be read: FileNotFoundError",
    ]


def test_a_setting_from_both_sources(tmp_path: Path) -> None:
    (tmp_path / "issuer").write_text("one", encoding="utf-8")
    assert problems_of(ISSUER="two", ISSUER_FILE=str(tmp_path / "issuer")) == [
        "NUOVO_ISSUER and NUOVO_ISSUER_FILE are both set; set one of them"
    ]


class TestOfTheProcess:
    """What `load_settings()` reads when it is given nothing."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("NUOVO_SECRET_KEY", KEY)

    def test_the_environment_wins_over_env_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".env").write_text("NUOVO_ISSUER=from-file\nNUOVO_CLIENT_ID='from file'\n", encoding="utf-8")
        monkeypatch.setenv("NUOVO_ISSUER", "from-environment")
        settings = load_settings()
        assert (settings.issuer, settings.client_id) == ("from-environment", "from file")

    def test_a_misspelt_name_in_env_file_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("OTHER=1\nNUOVO_ISUER=x\n", encoding="utf-8")
        with pytest.raises(SettingsError, match=r"^NUOVO_ISUER is no setting of Nuovo"):
            load_settings()

    def test_settings_of_the_tests_and_of_others_are_not_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NUOVO_TEST_POSTGRES_URL", "x")
        monkeypatch.setenv("ISSUER", "x")
        assert load_settings().issuer == "nuovo"

    def test_a_given_environment_is_all_there_is(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".env").write_text("NUOVO_ISSUER=from-file", encoding="utf-8")
        monkeypatch.setenv("NUOVO_ISSUER", "from-environment")
        assert load_settings({"NUOVO_SECRET_KEY": KEY}).issuer == "nuovo"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/lib/nuovo.sqlite3", "sqlite:////var/lib/nuovo.sqlite3"),
        ("postgresql://nuovo:hunter2@db:5432/nuovo", "postgresql://…@db:5432/nuovo"),
        ("postgresql://nuovo:hun@ter2@db/nuovo", "postgresql://…@db/nuovo"),
        ("postgresql://db/nuovo?user=nuovo&password=hunter2", "postgresql://db/nuovo…"),
        ("postgresql://nuovo:hun/ter2@db/nuovo", "postgresql://…@db/nuovo"),
        ("postgresql://nuovo:hun?ter2@db/nuovo", "postgresql://…"),
        ("postgresql://db/nuovo?password=hun@ter2", "postgresql://…"),
        ("hunter2", "…"),
    ],
)
def test_shown_hides_passwords(url: str, shown: str) -> None:
    settings = dict(load(DATABASE_URL=url, USERS_DATABASE_URL=url).shown())
    assert settings["NUOVO_DATABASE_URL"] == settings["NUOVO_USERS_DATABASE_URL"] == shown


def test_shown_names_every_setting_and_hides_secrets() -> None:
    """The most important first; those for an application that moves in where they are set."""
    settings = load(
        PREVIOUS_SECRET_KEYS=f"{OTHER},{OTHER[::-1]}", ALLOWED_ORIGINS="https://a.example,https://b.example"
    )
    shown = dict(settings.shown())
    own = Settings.model_fields.keys() - AdoptionSettings.model_fields.keys()
    assert set(shown) == {f"NUOVO_{name.upper()}" for name in own} - {"NUOVO_DEMO"}
    assert next(iter(shown)) == "NUOVO_SECRET_KEY"
    assert dict(load(ADOPT_SIMPLEJWT_KEY=OTHER).shown()).keys() - shown.keys() == {"NUOVO_ADOPT_SIMPLEJWT_KEY"}
    assert shown["NUOVO_SECRET_KEY"] == "…"
    assert shown["NUOVO_PREVIOUS_SECRET_KEYS"] == "2 hidden"
    assert shown["NUOVO_ALLOWED_ORIGINS"] == "https://a.example, https://b.example"
    assert shown["NUOVO_COOKIE_DOMAIN"] == ""
    assert KEY not in repr(settings)
    assert OTHER not in str(settings)


def test_shown_hides_a_secret_that_looks_like_a_url() -> None:
    settings = dict(load(SECRET_KEY=f"https://example.org/{KEY}").shown())
    assert settings["NUOVO_SECRET_KEY"] == "…"


def test_settings_cannot_be_changed() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.issuer = "x"


@pytest.mark.parametrize("name", ["SERVICE_CREDENTIALS", "METRICS_CREDENTIALS"])
def test_a_name_makes_a_weak_secret_no_better(name: str) -> None:
    (problem,) = problems_of(**{name: f"{'long-enough-by-itself-and-more'}:short"})
    assert problem.startswith(f"NUOVO_{name} has 5 bytes; at least 32 are needed")
