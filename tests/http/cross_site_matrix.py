"""The cross-site guard as a table of cases, and the check that walks it.

A page that is not trusted can make a browser send the cookie; it cannot choose what the browser says of it.
"""

from collections.abc import Callable, Iterator

from falcon.testing import TestClient

from domain.model.tokens import TokenPair
from tests.http.contract import COOKIE, CROSS_SITE, HOST, refresh_token_of

# Rows are what `Origin` says, columns what `Sec-Fetch-Site` says; Y passes, - is refused.
# `absent` is a browser without Fetch Metadata (or none at all).
_TABLE = """
origin                                   absent same-origin same-site cross-site none other empty
absent                                   -      Y           -         -          -    -     -
https://nuovo.example.org                Y      Y           -         -          -    -     -
http://nuovo.example.org                 Y      Y           -         -          -    -     -
https://nuovo.example.org:443            Y      Y           -         -          -    -     -
http://nuovo.example.org:80              Y      Y           -         -          -    -     -
https://NUOVO.example.org                Y      Y           -         -          -    -     -
https://app.example.com                  Y      Y           Y         Y          -    -     -
https://nuovo.example.org:8443           -      Y           -         -          -    -     -
https://nuovo.example.org:80             -      Y           -         -          -    -     -
https://nuovo.example.org/               -      Y           -         -          -    -     -
https://nuovo.example.org.evil.example   -      Y           -         -          -    -     -
https://evil-nuovo.example.org           -      Y           -         -          -    -     -
https://other.example.org                -      Y           -         -          -    -     -
https://ada@nuovo.example.org            -      Y           -         -          -    -     -
ftp://nuovo.example.org                  -      Y           -         -          -    -     -
nuovo.example.org                        -      Y           -         -          -    -     -
//nuovo.example.org                      -      Y           -         -          -    -     -
https://                                 -      Y           -         -          -    -     -
null                                     -      Y           -         -          -    -     -
empty                                    -      Y           -         -          -    -     -
*                                        -      Y           -         -          -    -     -
http://app.example.com                   -      Y           -         -          -    -     -
https://app.example.com:443              -      Y           -         -          -    -     -
https://app.example.com:8443             -      Y           -         -          -    -     -
https://app.example.com/                 -      Y           -         -          -    -     -
https://APP.example.com                  -      Y           -         -          -    -     -
https://app.example.com.evil.example     -      Y           -         -          -    -     -
https://app.example.comevil              -      Y           -         -          -    -     -
https://evil.app.example.com             -      Y           -         -          -    -     -
https://app.example.com,https://evil.example - Y            -         -          -    -     -
https://evil.example,https://app.example.com - Y            -         -          -    -     -
"""

HOST_CASES = [
    # Origin, Host, whether the origin is this host; the browser says nothing else
    ("https://nuovo.example.org", "nuovo.example.org:443", True),
    ("http://nuovo.example.org", "nuovo.example.org:80", True),
    ("https://nuovo.example.org:8443", "nuovo.example.org:8443", True),
    ("http://localhost:8000", "localhost:8000", True),
    ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
    ("http://[::1]:8000", "[::1]:8000", True),
    ("https://nuovo.example.org", "NUOVO.EXAMPLE.ORG", True),
    ("https://nuovo.example.org", "nuovo.example.org:80", False),
    ("http://nuovo.example.org", "nuovo.example.org:443", False),
    ("https://nuovo.example.org", "nuovo.example.org:8443", False),
    ("http://localhost:8000", "localhost:8001", False),
    ("http://localhost:8000", "127.0.0.1:8000", False),
    ("https://", "", False),
    ("", "", False),
    ("null", "null", False),
    ("https://nuovo.example.org", "", False),
    ("https://nuovo.example.org", "nuovo.example.org, evil.example", False),
]

Case = tuple[str, str, bool]


def cases() -> list[Case]:
    """Return each cell of the table: origin, site, and whether it passes."""
    heads, *rows = (line.split() for line in _TABLE.strip().splitlines())
    return [(origin, site, mark == "Y") for origin, *marks in rows for site, mark in zip(heads[1:], marks, strict=True)]


def headers_of(origin: str, site: str) -> dict[str, str]:
    """Return the headers of a cell; `absent` is no header and `empty` one without a value."""
    spelled = {"empty": "", "other": "same-origin, cross-site"}
    given = {"Origin": spelled.get(origin, origin), "Sec-Fetch-Site": spelled.get(site, site), "Host": HOST}
    return {name: value for name, value in given.items() if value != "absent"}


def wrong_answers(client: TestClient, sign_in: Callable[[], TokenPair], path: str = "/refresh_token") -> Iterator[Case]:
    """Yield each cell that `client` answers otherwise than the table says."""
    for origin, site, passes in cases():
        headers = headers_of(origin, site) | {"Cookie": f"{COOKIE}={refresh_token_of(sign_in())}"}
        answer = client.simulate_post(path, headers=headers)
        right = answer.status_code == 200 if passes else (answer.status_code, answer.content) == (403, CROSS_SITE)
        untouched = passes or "Set-Cookie" not in answer.headers
        if not (right and untouched):
            yield origin, site, passes
