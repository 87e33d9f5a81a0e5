"""What is asked of a browser, and told to it, that binds a session to its device.

Device Bound Session Credentials: <https://w3c.github.io/webappsec-dbsc/>, the draft of February 2026. It fixes
the bodies of successes. To browsers 401, 404, 429 and most other refusals are the end of a binding, so none of them is
answered here to what a browser sends by itself.
"""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

import falcon
import orjson

from domain.model.errors import InvalidDeviceProofError, StaleDeviceProofError
from domain.model.proofs import DeviceSession, Presence, ProvenKey
from domain.use_cases.bind_device import BindDevice
from entrypoints.http.errors import (
    AmbiguousCredentialsError,
    PlantedCookieError,
    PresenceSkippedError,
    ScriptedRegistrationError,
)
from entrypoints.http.presence import PresenceCookie
from entrypoints.http.refresh_cookie import HiddenCookie, RefreshCookie

REGISTER, REFRESH = "/dbsc/register", "/dbsc/refresh"
_REFRESH_TOKEN = "/refresh_token"  # noqa: S105  a path
_ALGORITHMS = "ES256 RS256"
_OFFERED = "__Host-binding-offered"
_OFFER_ANEW_AFTER = 30
"""Seconds that a browser has to take an offer before it gets another. Each costs it one of six signatures."""
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SKIPPED = re.compile(r'session_identifier="([^"]*)"', re.ASCII)
_MOST_SKIPPED = 8


class BindingOffers:
    """Offers to bind a session to the device of its browser, made with answers of `/refresh_token`."""

    def __init__(self, bind: BindDevice, cookie: RefreshCookie, *, public_path: str) -> None:
        """Take the path below which browsers find the service."""
        self._bind = bind
        # It says nothing but when there was an offer.
        self._offered = HiddenCookie(name=_OFFERED, same_site=cookie.same_site)
        self._register = public_path + REGISTER

    def make(self, req: falcon.Request, resp: falcon.Response, session_id: str) -> None:
        """Offer it, unless this browser was made an offer a moment ago: for each it would make a key."""
        now = self._bind.clock.now()
        # APPSEC: by the time in it. Whoever once ran a script in the page could plant a cookie that stays for a year,
        # and keep every session of that browser from being bound.
        if any(_was_a_moment_ago(when, now) for when in self._offered.values_in(req)):
            return
        self._offered.set(resp, str(now), max_age=_OFFER_ANEW_AFTER)
        offer = self._bind.devices.offer(session_id)
        resp.set_header("Secure-Session-Registration", f'({_ALGORITHMS});path="{self._register}";challenge="{offer}"')

    def check_skipped(self, req: falcon.Request, presented: str) -> None:
        """Raise `PresenceSkippedError` if the browser says that it could not get presence for this very session.

        It was out of signatures, or the service out of reach: its next request will have presence. Another session of
        the same site is no reason to wait. It is the browser's own word, and all it can gain is to be put off.
        """
        skipped = req.env.get("HTTP_SECURE_SESSION_SKIPPED")
        if skipped is None:
            return
        identifiers = _SKIPPED.findall(skipped)[:_MOST_SKIPPED]
        if any(self._bind.is_of(presented, identifier) for identifier in identifiers):
            raise PresenceSkippedError


class _Binding:
    """What both addresses share."""

    def __init__(
        self,
        bind: BindDevice,
        cookie: RefreshCookie,
        presence: PresenceCookie,
        *,
        public_path: str,
        allowed_origins: Collection[str],
    ) -> None:
        """Take the path below which browsers find the service, and whose pages may cause a proof beside its own."""
        self._bind = bind
        self._cookie = cookie
        self._presence = presence
        self._told = {
            "refresh_url": public_path + REFRESH,
            "scope": {
                "include_site": False,
                # The last rule that fits counts.
                "scope_specification": [
                    {"type": "exclude", "domain": "*", "path": "/"},
                    {"type": "include", "domain": "*", "path": public_path + _REFRESH_TOKEN},
                ],
            },
            "credentials": [{"type": "cookie", "name": presence.name, "attributes": presence.attributes}],
            "allowed_refresh_initiators": sorted(_hosts_of(allowed_origins)),
        }

    def _cookies_of(self, req: falcon.Request) -> tuple[str | None, ProvenKey | None]:
        """Return the refresh token, and the key that presence shows. Raises `PlantedCookieError`."""
        values = self._cookie.values_in(req)
        # APPSEC: whoever plants a cookie from another host of the site ends no binding by it.
        try:
            shown = self._presence.of(req)
        except AmbiguousCredentialsError:
            raise PlantedCookieError from None
        if len(values) > 1:
            raise PlantedCookieError
        return (values[0] if values else None), shown

    def _answer(self, resp: falcon.Response, bound: tuple[DeviceSession, Presence] | None) -> None:
        """Tell the browser how to go on with its key, and give it presence; or tell it that the key is over."""
        if bound is None:
            resp.data = b'{"continue":false}'
            return
        device, presence = bound
        self._presence.give(resp, presence)
        self._challenge(resp, device.identifier, self._bind.devices.challenge(device))
        resp.data = orjson.dumps({"session_identifier": device.identifier, **self._told})

    def _challenge(self, resp: falcon.Response, identifier: str, challenge: str) -> None:
        resp.set_header("Secure-Session-Challenge", f'"{challenge}";id="{identifier}"')


class RegisterDeviceResource(_Binding):
    """`POST /dbsc/register`: a browser takes an offer."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with how the browser is to prove its key from now on."""
        # APPSEC: no script can send the header below in this mode, in which it may set harmless headers alone. So one
        # that was smuggled into a page (XSS) binds no session to a key of its own.
        if req.get_header("Sec-Fetch-Mode") != "no-cors":
            raise ScriptedRegistrationError
        proof = _text(req, "Secure-Session-Response")
        if proof is None:
            raise InvalidDeviceProofError
        token, shown = self._cookies_of(req)
        self._answer(resp, self._bind.register(token, proof, shown))


class ProvePresenceResource(_Binding):
    """`POST /dbsc/refresh`: a browser proves its key once more."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with presence, or with 403 and a challenge if none of the last minutes was signed."""
        # No page can send a header whose name begins with Sec-.
        identifier = _text(req, "Sec-Secure-Session-Id")
        if identifier is None:
            raise InvalidDeviceProofError
        proof = _text(req, "Secure-Session-Response")
        token, shown = self._cookies_of(req)
        try:
            bound = self._bind.prove(token, identifier, proof, shown)
        except StaleDeviceProofError as stale:
            self._challenge(resp, identifier, stale.challenge)
            raise
        self._answer(resp, bound)


def _hosts_of(origins: Collection[str]) -> set[str]:
    """Return the hosts of pages, without those that are IPv6 addresses, for which the draft has no pattern."""
    hosts = {urlsplit(origin).hostname or "" for origin in origins}
    return {host for host in hosts if host and ":" not in host}


def _was_a_moment_ago(when: str, now: int) -> bool:
    """Tell whether `when` is a time of the last moments, or of the next: servers' clocks differ by some."""
    return _TIME.fullmatch(when) is not None and abs(now - int(when)) < _OFFER_ANEW_AFTER


def _text(req: falcon.Request, name: str) -> str | None:
    """Return the text of a structured header (RFC 9651): quoted, as the draft has it, or bare, as Chromium sends it.

    Parameters behind it are ignored, as the draft wants it. No text of ours has a semicolon.
    """
    header = req.get_header(name)
    if header is None:
        return None
    value = header.partition(";")[0].rstrip(" ")
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
