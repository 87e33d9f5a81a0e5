"""What a client sends to an endpoint of OAuth 2.0: a form, and its name."""

import falcon
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError

from entrypoints.http.request_body import read_form


def read_parameters(req: falcon.Request) -> dict[str, str]:
    """Return the form without parameters that have no value, which count as omitted (RFC 6749, section 3.2).

    Raises as `read_form` does, or an `OAuth2Error`.
    """
    # APPSEC: what stands in a URL stands in logs.
    if req.query_string:
        raise InvalidRequestError("Parameters belong into the body.")
    return {name: value for name, value in read_form(req).items() if value}


def read_public_client_parameters(req: falcon.Request, client_id: str) -> dict[str, str]:
    """Do as `read_parameters` for the one client there is, which has no secret (RFC 6749, section 2.1)."""
    form = read_parameters(req)
    if form.get("client_id", client_id) != client_id:
        raise InvalidClientError("There is no such client.")
    by_header = req.env.get("HTTP_AUTHORIZATION", "").lower().startswith("basic ")
    if by_header or "client_secret" in form:
        # A secret that nobody checks would look like one that was.
        raise InvalidClientError("This client is public: it has no secret.", status_code=401 if by_header else 400)
    return form


def required(form: dict[str, str], name: str) -> str:
    """Return a parameter that must be there."""
    value = form.get(name)
    if value is None:
        raise InvalidRequestError(f"{name} is missing.")
    return value
