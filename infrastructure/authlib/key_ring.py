"""The keys that tokens are signed and verified with: a ring for each type, because each has readers of its own."""

from collections.abc import Mapping, Sequence

from infrastructure.authlib.keys import (
    ACCESS_TOKEN_TYPE,
    REFRESH_TOKEN_TYPE,
    AccessKey,
    Key,
    SecretKey,
    WeakKeyError,
)


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
        secrets = [SecretKey(text) for text in (secret, *previous_secrets)]
        refresh_keys = [key.of_type(REFRESH_TOKEN_TYPE) for key in secrets]
        published = [*([] if access_key is None else [access_key]), *verification_keys]
        # APPSEC: beside a key whose public half alone is given away, the secret says nothing about access tokens.
        access_keys: list[Key] = [key.of_type(ACCESS_TOKEN_TYPE) for key in secrets] if access_key is None else []
        access_keys += published

        self.refresh_key, self.access_key = refresh_keys[0], access_keys[0]
        self.by_refresh_header: Mapping[bytes, Key] = {key.header: key for key in refresh_keys}
        self.by_access_header: Mapping[bytes, Key] = {key.header: key for key in access_keys}
        self.public_keys: Mapping[str, object] = {"keys": list({key.id: key.jwk for key in published}.values())}
        """What others verify access tokens with, as a JWK Set (RFC 7517, section 5)."""
