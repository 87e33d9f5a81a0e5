"""Settings for an application that moves in: whose refresh tokens are adopted, and by what rules they are read.

A setting has the name that the old library gives it, after the beginning for that library.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import NoDecode

from entrypoints.setting_types import Name, comma_separated

_FLASK = "NUOVO_ADOPT_FLASK_JWT_EXTENDED"
_SIMPLEJWT = "NUOVO_ADOPT_SIMPLEJWT"
_TOOLKIT = "NUOVO_ADOPT_OAUTH_TOOLKIT"

_OWN_PATHS = {"/refresh_token", "/revoke_token", "/sessions", "/metrics", "/docs", "/openapi.json", "/client.js"}
_Path = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)+/?$")]
_CookieName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
_CookiePath = Annotated[str, StringConstraints(pattern=r"^/[\x21-\x3a\x3c-\x7e]*$")]
_Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
_Library = Literal["flask-jwt-extended", "simplejwt"]
_Location = Literal["headers", "cookies"]


class AdoptionSettings(BaseModel):
    """What an application that moves in may set. Nothing is adopted, and no old endpoint answers, until it is named."""

    access_token_compatibility: Annotated[list[_Library], NoDecode, BeforeValidator(comma_separated)] = []

    adopt_flask_jwt_extended_key: SecretStr | None = None
    adopt_flask_jwt_extended_algorithm: _Algorithm | None = None
    adopt_flask_jwt_extended_identity_claim: Name = "sub"
    adopt_flask_jwt_extended_issuer: Name | None = None
    adopt_flask_jwt_extended_audience: Name | None = None
    adopt_flask_jwt_extended_blocklist_table: Name | None = None
    adopt_flask_jwt_extended_blocklist_column: Name = "jti"
    adopt_flask_jwt_extended_signs_access_tokens: bool = False
    adopt_flask_jwt_extended_path: _Path | None = None
    adopt_flask_jwt_extended_rotation: bool = False
    adopt_flask_jwt_extended_token_location: Annotated[list[_Location], NoDecode, BeforeValidator(comma_separated)] = [
        "headers"
    ]
    adopt_flask_jwt_extended_cookie_csrf_protect: bool = True
    adopt_flask_jwt_extended_cookie_domain: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+$")] | None = None
    adopt_flask_jwt_extended_cookie_samesite: Literal["Strict", "Lax", "None"] = "Lax"
    adopt_flask_jwt_extended_session_cookie: bool = True
    adopt_flask_jwt_extended_access_cookie_name: _CookieName = "access_token_cookie"
    adopt_flask_jwt_extended_access_cookie_path: _CookiePath = "/"
    adopt_flask_jwt_extended_access_csrf_cookie_name: _CookieName = "csrf_access_token"
    adopt_flask_jwt_extended_refresh_cookie_name: _CookieName = "refresh_token_cookie"
    adopt_flask_jwt_extended_refresh_cookie_path: _CookiePath = "/"
    adopt_flask_jwt_extended_refresh_csrf_cookie_name: _CookieName = "csrf_refresh_token"
    adopt_flask_jwt_extended_refresh_csrf_header_name: _CookieName = "X-CSRF-TOKEN"

    adopt_simplejwt_key: SecretStr | None = None
    adopt_simplejwt_algorithm: _Algorithm | None = None
    adopt_simplejwt_user_id_claim: Name = "user_id"
    adopt_simplejwt_token_type_claim: Name = "token_type"  # noqa: S105  a claim's name
    adopt_simplejwt_jti_claim: Name = "jti"
    adopt_simplejwt_issuer: Name | None = None
    adopt_simplejwt_audience: Name | None = None
    adopt_simplejwt_blacklist: bool = True
    adopt_simplejwt_signs_access_tokens: bool = False
    adopt_simplejwt_path: _Path | None = None
    adopt_simplejwt_rotation: bool = True

    adopt_oauth_toolkit: bool = False
    adopt_oauth_toolkit_refresh_token_expire_seconds: Annotated[int, Field(ge=0)] = 0
    adopt_oauth_toolkit_path: _Path | None = None
    adopt_oauth_toolkit_introspection_path: _Path | None = None
    adopt_oauth_toolkit_username_column: Name = "username"
    adopt_oauth_toolkit_other_grants: Annotated[str, StringConstraints(pattern=r"^@[A-Za-z0-9_-]+$")] | None = None

    @property
    def adopts(self) -> bool:
        """Whether any other system's tokens are read."""
        return bool(self.adopt_flask_jwt_extended_key or self.adopt_simplejwt_key or self.adopt_oauth_toolkit)

    def adoption_problems(self, own_secrets: set[str]) -> Iterator[str]:
        """Yield in words what does not go together. `own_secrets` are those that this service signs with or trusts."""
        keys = {_FLASK: self.adopt_flask_jwt_extended_key, _SIMPLEJWT: self.adopt_simplejwt_key}
        for name, key in keys.items():
            # APPSEC: whoever else holds a key can sign with it: it must never make a refresh token of this service.
            if key is not None and key.get_secret_value() in own_secrets:
                yield f"{name}_KEY is a secret of Nuovo's own; that stays Nuovo's alone: give Nuovo new ones"
        yield from self._signing_problems(keys)
        yield from self._path_problems(keys)
        if not self.adopt_flask_jwt_extended_token_location:
            yield f"{_FLASK}_TOKEN_LOCATION must name headers, cookies or both"

    def _signing_problems(self, keys: Mapping[str, SecretStr | None]) -> Iterator[str]:
        signs = {
            _FLASK: self.adopt_flask_jwt_extended_signs_access_tokens,
            _SIMPLEJWT: self.adopt_simplejwt_signs_access_tokens,
        }
        signing = [f"{name}_SIGNS_ACCESS_TOKENS" for name, is_on in signs.items() if is_on]
        if getattr(self, "access_token_key", None) is not None:
            signing.insert(0, "NUOVO_ACCESS_TOKEN_KEY")
        if len(signing) > 1:
            yield f"{' and '.join(signing)}: one key signs; set one of them"
        for name, is_on in signs.items():
            if is_on and keys[name] is None:
                yield f"{name}_SIGNS_ACCESS_TOKENS needs {name}_KEY"

    def _path_problems(self, keys: Mapping[str, SecretStr | None]) -> Iterator[str]:
        named = {
            f"{_FLASK}_PATH": self.adopt_flask_jwt_extended_path,
            f"{_SIMPLEJWT}_PATH": self.adopt_simplejwt_path,
            f"{_TOOLKIT}_PATH": self.adopt_oauth_toolkit_path,
            f"{_TOOLKIT}_INTROSPECTION_PATH": self.adopt_oauth_toolkit_introspection_path,
        }
        paths = {name: path for name, path in named.items() if path is not None}
        for name, key in keys.items():
            if f"{name}_PATH" in paths and key is None:
                yield f"{name}_PATH needs {name}_KEY"
        if f"{_TOOLKIT}_PATH" in paths and not self.adopt_oauth_toolkit:
            yield f"{_TOOLKIT}_PATH needs {_TOOLKIT}=true"
        for name, path in paths.items():
            if path in _OWN_PATHS:
                yield f"{name}: {path} is an endpoint of Nuovo's own"
        if len(set(paths.values())) < len(paths):
            yield f"{', '.join(paths)}: two of them are one path"
