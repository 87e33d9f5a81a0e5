"""The OpenAPI document: short as it is kept beside this module, complete as it is served.

`openapi.json` is OpenAPI 3.1, except that what holds everywhere is not repeated. An answer says one of

- `data`, a schema: what a success holds in the envelope; its `examples` are of `data` alone,
- `messages`, a list: what an error says in the envelope; each is an example, too, and with `pattern` no more than that,
- `errors`, a list: what an error says in the form of OAuth 2.0 (RFC 6749, section 5.2); each is an example, too,
- `content`, as OpenAPI has it.

Its `headers` are names of components, beside those that every answer has; with `cacheable` it lacks the two that keep
answers out of stores. An operation lists in `refusals` the components that it may answer beside its `responses`. What
any may answer that takes a credential or a body is not listed.
"""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any, TypeAlias

import orjson

from entrypoints.http.errors import OAUTH_PREFIX

Json: TypeAlias = dict[str, Any]

_EVERYWHERE = ("X-Content-Type-Options", "X-Request-ID")
_NOT_STORED = ("Cache-Control", "Pragma")
_BY_CODE = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}


def document() -> Json:
    """Return the complete document."""
    short: Json = orjson.loads(files("entrypoints.http").joinpath("openapi.json").read_bytes())
    refusals = short["components"]["responses"]
    for path, item in short["paths"].items():
        for verb, operation in item.items():
            common = _common(path, verb, operation)
            operation["responses"] = dict(_responses(operation, common, refusals))
    short["components"]["responses"] = {name: _complete(answer, answer["code"]) for name, answer in refusals.items()}
    return short


def _common(path: str, verb: str, operation: Json) -> list[str]:
    """Return the refusals that an operation does not list: the same ones in the form of OAuth 2.0, where that holds."""
    names = ["UnexpectedError", "Unavailable"] if operation["security"] or verb == "post" else []
    if verb == "post":
        names.append("BodyTooLarge")
    return [f"OAuth{name}" for name in names] if path.startswith(OAUTH_PREFIX) else names


def _responses(operation: Json, common: list[str], refusals: Json) -> Iterator[tuple[str, Json]]:
    for status, answer in operation["responses"].items():
        yield status, _complete(answer, int(status))
    names = [*operation.pop("refusals", []), *common]
    for code, name in sorted((refusals[name]["code"], name) for name in names):
        yield str(code), {"$ref": f"#/components/responses/{name}"}


def _complete(answer: Json, code: int) -> Json:
    names = [*_EVERYWHERE, *_BY_CODE.get(code, ()), *answer.get("headers", ())]
    if not answer.get("cacheable"):
        names += _NOT_STORED
    complete = {
        "description": answer["description"],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": answer["content"] if "content" in answer else {"application/json": _body(answer, code)},
    }
    return complete | ({"links": answer["links"]} if "links" in answer else {})


def _body(answer: Json, code: int) -> Json:
    if "errors" in answer:
        return {
            "schema": _narrowed("OAuthError", error={"enum": answer["errors"]}),
            "examples": {error: {"value": {"error": error}} for error in answer["errors"]},
        }
    if "messages" in answer:
        words = {"pattern": answer["pattern"]} if "pattern" in answer else {"enum": answer["messages"]}
        return {
            "schema": _narrowed("Error", code={"const": code}, message=words),
            "examples": {
                f"{code}-{number}": {"value": {"status": "error", "code": code, "message": message}}
                for number, message in enumerate(answer["messages"], start=1)
            },
        }
    return {
        "schema": _narrowed("Success", code={"const": code}, data=answer["data"]),
        "examples": {
            name: {**example, "value": {"status": "success", "code": code, "data": example["value"]}}
            for name, example in answer["examples"].items()
        },
    }


def _narrowed(schema: str, **properties: Json) -> Json:
    return {"allOf": [{"$ref": f"#/components/schemas/{schema}"}, {"properties": properties}]}
