"""All settings, read from the environment and from `.env`, and checked before anything starts.

Only this module reads the environment. Every problem is reported at once, in words that say what to set.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from domain.model.secrets import HOW_TO_MAKE_ONE, weakness_of
from domain.model.sessions import SessionPolicy
from domain.model.tokens import MAX_SESSION_TTL
from entrypoints.adoption_settings import AdoptionSettings
from entrypoints.binding_settings import BindingSettings
from entrypoints.cookie_settings import CookieSettings
from entrypoints.setting_types import (
    ClaimColumns,
    CommaSeparated,
    Credentials,
    Name,
    PemBlocks,
    Proxies,
    SecretList,
    Span,
    as_text,
)

PREFIX = "NUOVO_"
_FILE_SUFFIX = "_FILE"
_IGNORED_PREFIX = "NUOVO_TEST_"
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", re.ASCII)


class SettingsError(Exception):
    """Settings with which the service does not start. `problems` has a line for each; none holds a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(AdoptionSettings, BindingSettings, CookieSettings, BaseSettings):
    """The service's settings. Spans are seconds or have a unit (`15m`), lists are separated by commas.

    Any setting may be read from a file instead: `NUOVO_SECRET_KEY_FILE=/run/secrets/key`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, hide_input_in_errors=True, frozen=True)

    secret_key: SecretStr
    previous_secret_keys: SecretList = []
    access_token_key: SecretStr | None = None
    access_token_verification_keys: PemBlocks = []
    database_url: SecretStr = SecretStr("sqlite:///nuovo.sqlite3")
    users_table: Name = "nuovo_users"
    users_id_column: Name = "id"
    users_active_column: Name | None = None
    users_claims: ClaimColumns = []
    users_database_url: SecretStr | None = None
    issuer: Name = "nuovo"
    audience: Name = "api"
    client_id: Name = "frontend"
    access_token_ttl: Annotated[Span, Field(ge=1, le=86_400)] = 15 * 60
    refresh_token_ttl: Annotated[Span, Field(ge=1, le=MAX_SESSION_TTL)] = 14 * 86_400
    session_ttl: Annotated[Span, Field(ge=1, le=MAX_SESSION_TTL)] = 60 * 86_400
    rotation: bool = True
    rotation_durability: Literal["process", "disk"] = "process"
    replay_grace: Annotated[Span, Field(ge=0, le=300)] = 30
    lost_answer_recovery: Annotated[Span, Field(ge=0, le=7 * 86_400)] = 86_400
    leeway: Annotated[Span, Field(ge=0, le=300)] = 0
    allowed_origins: CommaSeparated = []
    service_credentials: Credentials = []
    metrics_credentials: Credentials = []
    trusted_proxies: Proxies = []
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    demo: bool = False
    """Set by `nuovo serve --demo` and by nobody else."""

    @property
    def policy(self) -> SessionPolicy:
        """The settings that the domain decides by."""
        return SessionPolicy(
            access_token_ttl=self.access_token_ttl,
            refresh_token_ttl=self.refresh_token_ttl,
            session_ttl=self.session_ttl,
            replay_grace=self.replay_grace,
            lost_answer_recovery=self.lost_answer_recovery,
            leeway=self.leeway,
            rotation=self.rotation,
            device_binding=self.device_binding,
            bound_access_tokens=self.dpop_access_tokens,
        )

    def shown(self) -> list[tuple[str, str]]:
        """Return every setting and its value as text, secrets and database passwords hidden.

        Settings for an application that moves in are shown if they are set: few services have any.
        """
        adopting = AdoptionSettings.model_fields.keys()
        of_others = adopting | BindingSettings.model_fields.keys() | CookieSettings.model_fields.keys()
        unset = (adopting - self.model_fields_set) | {"demo"}
        names = [name for name in type(self).model_fields if name not in unset]
        names.sort(key=lambda name: name in of_others)
        return [(f"{PREFIX}{name.upper()}", as_text(name, getattr(self, name))) for name in names]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from `load_settings` alone, which has read the environment."""
        return (init_settings,)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        problems = [*self._secret_problems(), *self._span_problems(), *self.cookie_problems()]
        problems += self.binding_problems(issuer=self.issuer, rotation=self.rotation, cookie_path=self.cookie_path)
        if self.audience == self.issuer:
            problems.append(f"{PREFIX}AUDIENCE must differ from {PREFIX}ISSUER, the audience of refresh tokens")
        problems += [
            f"{PREFIX}ALLOWED_ORIGINS: every origin must be as browsers send it, such as https://app.example.org: "
            "scheme and host in lower case, a port only if it is not the default, no path, no *"
            for origin in self.allowed_origins
            if not _ORIGIN.fullmatch(origin) or origin.endswith((":80", ":443"))
        ][:1]
        if problems:
            raise SettingsError(problems)
        return self

    def _secret_problems(self) -> Iterator[str]:
        key = self.secret_key.get_secret_value()
        previous = [secret.get_secret_value() for secret in self.previous_secret_keys]
        # APPSEC: what is weighed is what is compared: a name before the secret makes it no longer.
        named = self.service_credentials, self.metrics_credentials
        credentials, for_metrics = ([one.get_secret_value().rpartition(":")[2] for one in each] for each in named)
        for name, secrets in (
            ("SECRET_KEY", [key]),
            ("PREVIOUS_SECRET_KEYS", previous),
            ("SERVICE_CREDENTIALS", credentials),
            ("METRICS_CREDENTIALS", for_metrics),
        ):
            for weakness in filter(None, map(weakness_of, secrets)):
                yield f"{PREFIX}{name} {weakness}; make a good one with: {HOW_TO_MAKE_ONE}"
            if len(set(secrets)) < len(secrets):
                yield f"{PREFIX}{name} has the same secret twice; remove one"
        if key in previous:
            yield f"{PREFIX}PREVIOUS_SECRET_KEYS holds {PREFIX}SECRET_KEY; previous keys must differ from it"
        yield from self.adoption_problems({key, *previous, *credentials})
        if {key, *previous} & set(credentials):
            yield f"{PREFIX}SERVICE_CREDENTIALS holds a signing key; each secret must have one use"
        if {key, *previous, *credentials} & set(for_metrics):
            yield f"{PREFIX}METRICS_CREDENTIALS holds a key or a service credential; each secret must have one use"

    def _span_problems(self) -> Iterator[str]:
        if self.access_token_ttl > self.refresh_token_ttl:
            yield f"{PREFIX}ACCESS_TOKEN_TTL must not be longer than {PREFIX}REFRESH_TOKEN_TTL"
        if self.refresh_token_ttl > self.session_ttl:
            yield f"{PREFIX}REFRESH_TOKEN_TTL must not be longer than {PREFIX}SESSION_TTL"


def load_settings(environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Return the settings of `environment` (the process's own), completed by `env_file` (`.env` in this folder).

    Raises `SettingsError` with every problem.
    """
    if environment is None:
        environment = os.environ
        env_file = env_file or Path(".env")
    from_file = dotenv_values(env_file) if env_file and env_file.is_file() else {}
    given = {
        name: value
        for name, value in {**from_file, **environment}.items()
        if name.startswith(PREFIX) and not name.startswith(_IGNORED_PREFIX) and value is not None
    }
    values, problems = _values_of(given)
    try:
        settings = Settings(**values)
    except SettingsError as error:
        raise SettingsError(problems + error.problems) from None
    except ValidationError as error:
        raise SettingsError(problems + _all_problems(error, values)) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _values_of(given: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return the values by field name, files read, and a problem for each name that is no setting."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in sorted(given.items()):
        field = name.removeprefix(PREFIX).lower()
        if field in Settings.model_fields:
            if f"{name}{_FILE_SUFFIX}" in given:
                problems.append(f"{name} and {name}{_FILE_SUFFIX} are both set; set one of them")
            values[field] = value
        elif field.removesuffix(_FILE_SUFFIX.lower()) in Settings.model_fields:
            try:
                values[field.removesuffix(_FILE_SUFFIX.lower())] = Path(value).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{name} names a file that cannot be read: {type(error).__name__}")
        else:
            problems.append(f"{name} is no setting of Nuovo; see the table of settings in the README")
    # An empty variable means what its absence means, except for a secret, where it is a mistake to report.
    return {field: value for field, value in values.items() if value or field == "secret_key"}, problems


def _all_problems(error: ValidationError, values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with single values, and what is wrong with the others among themselves."""
    wrong = {str(problem["loc"][0]) for problem in error.errors()}
    problems = [_in_words(problem) for problem in error.errors()]
    # A stand-in for a key that is missing, so that the rest can be checked.
    sound = {"secret_key": token_urlsafe(48)} | {k: v for k, v in values.items() if k not in wrong}
    try:
        Settings(**sound)
    except SettingsError as also:
        names = [f"{PREFIX}{field.upper()}" for field in wrong]
        problems += [problem for problem in also.problems if not any(name in problem for name in names)]
    return problems


def _in_words(problem: Any) -> str:
    field = str(problem["loc"][0])
    name = f"{PREFIX}{field.upper()}"
    if problem["type"] == "missing":
        hint = f"; make one with: {HOW_TO_MAKE_ONE}" if field == "secret_key" else ""
        return f"{name} is not set{hint}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message[0].lower()}{message[1:]}"
