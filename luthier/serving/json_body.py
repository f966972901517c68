"""Bodies of JSON: what is read of requests, and what is answered."""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from luthier.serving.refusal import Refusal

VERSION_HEADER: Final = "x-luthier-model-version"


async def json_body(request: Request) -> Any:
    """The body as JSON values, of a request that says that it is JSON.

    A page elsewhere cannot send that without asking first, which is never allowed here.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, f"the body is {kind or 'of no type'}", remedy="send application/json")
    try:
        return json.loads(await request.body(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is no JSON: {error}") from None


def is_unicode(text: str) -> bool:
    """JSON can write half a character, which no text has."""
    if text.isprintable():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def answered(values: Any, version: str | None) -> Response:
    """JSON, with the version that answered in the headers."""
    body = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return Response(body, media_type="application/json", headers={VERSION_HEADER: version} if version else None)


def refused(refusal: Refusal, path: str) -> Response:
    """An error in the form of the protocol that ``path`` belongs to."""
    versioned = {VERSION_HEADER: refusal.version} if refusal.version else {}
    body = json.dumps(refusal.said_at(path))
    return Response(body, refusal.status, {**refusal.headers, **versioned}, "application/json")


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")
