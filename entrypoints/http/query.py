"""The query of a request, read strictly: a parameter that is misspelt must not be one that is left out."""

import re

import falcon

from domain.model.sessions import Session
from domain.model.tokens import is_id
from entrypoints.http.errors import InvalidFieldError
from ports.sessions import Page

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_LIMIT = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_POSITION = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{22})", re.ASCII)


def read_query(req: falcon.Request, *known: str) -> dict[str, str]:
    """Return the parameters by name, of which each may be given once. Raises `InvalidFieldError`."""
    given = req.params
    if given.keys() - set(known):
        names = " and ".join(known)
        plural = "s are" if len(known) > 1 else " is"
        raise InvalidFieldError(f"The only query parameter{plural} {names}." if known else "There are no parameters.")
    for name, value in given.items():
        if not isinstance(value, str):
            raise InvalidFieldError(f"{name}: must be given once.")
    return {name: str(value) for name, value in given.items()}


def read_page(req: falcon.Request) -> Page:
    """Return which page of a list is asked for by `limit` and `after`. Raises `InvalidFieldError`."""
    query = read_query(req, "limit", "after")
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not _LIMIT.fullmatch(limit) or int(limit) > MAX_LIMIT:
        raise InvalidFieldError(f"limit: must be a number from 1 to {MAX_LIMIT}.")
    return Page(limit=int(limit), after=_position(query["after"]) if "after" in query else None)


def cursor_after(session: Session) -> str:
    """Return what `after` must be for the page that follows `session`: a place in the list."""
    return f"{session.token.started_at}.{session.token.session_id}"


def read_spared(req: falcon.Request) -> str | None:
    """Return the session that `except` names, if it names one. Raises `InvalidFieldError`."""
    spared = read_query(req, "except").get("except")
    if spared is not None and not is_id(spared):
        raise InvalidFieldError("except: must be the identifier of a session.")
    return spared


def _position(cursor: str) -> tuple[int, str]:
    if not (position := _POSITION.fullmatch(cursor)):
        raise InvalidFieldError("after: must be what an earlier page gave as next.")
    return int(position[1]), position[2]
