"""The keys that tokens are signed and verified with: a ring for each type, because each has readers of its own."""

from collections.abc import Iterable, Mapping, Sequence

from infrastructure.authlib.keys import (
    ACCESS_TOKEN_TYPE,
    REFRESH_TOKEN_TYPE,
    AccessKey,
    Key,
    SecretKey,
    WeakKeyError,
)


class Ring:
    """The keys of one type of token: the first signs, all verify. Each is found by the header part that it writes."""

    def __init__(self, keys: Iterable[Key]) -> None:
        found = list(keys)
        self.signing = found[0]
        # What signs wins over its own public half, which may be listed beside it.
        self.by_header: Mapping[bytes, Key] = {key.header: key for key in reversed(found)}


class KeyRing:
    """For each type of token one key that signs, and any number of others that verify.

    Refresh tokens are signed with the secret, which nobody else has. Access tokens are signed with `access_key`, or
    with the secret as long as there is none.

    To change the secret, make the old one a previous one; drop it when the last token that it signed has expired. To
    change the access key, list the new one in `verification_keys` until every verifier has heard of it, then let it
    sign and list the old one.
    """

    def __init__(
        self,
        secret: str,
        previous_secrets: Sequence[str] = (),
        *,
        access_key: AccessKey | None = None,
        verification_keys: Sequence[AccessKey] = (),
    ) -> None:
        """Raise `WeakKeyError` if any secret is weak or stands twice."""
        if len({secret, *previous_secrets}) != 1 + len(previous_secrets):
            raise WeakKeyError("a signing secret stands twice in the key ring")
        self._secrets = [SecretKey(text) for text in (secret, *previous_secrets)]
        published = [*([] if access_key is None else [access_key]), *verification_keys]
        # APPSEC: beside a key whose public half alone is given away, the secret says nothing about access tokens.
        own: list[Key] = [key.of_type(ACCESS_TOKEN_TYPE) for key in self._secrets] if access_key is None else []
        self.access = Ring([*own, *published])
        self.refresh = self.of_type(REFRESH_TOKEN_TYPE)
        self.public_keys: Mapping[str, object] = {"keys": list({key.id: key.jwk for key in published}.values())}
        """What others verify access tokens with, as a JWK Set (RFC 7517, section 5)."""

    def of_type(self, token_type: str) -> Ring:
        """Return the secrets as the keys of a type of token that this service alone reads."""
        return Ring(key.of_type(token_type) for key in self._secrets)
