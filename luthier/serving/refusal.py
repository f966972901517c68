"""Errors as a client reads them: MLflow's form, and OpenAI's under ``/v1``."""

from collections.abc import Mapping
from typing import Any, Final

MEANINGS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BAD_REQUEST", "the request cannot be read"),
    401: ("UNAUTHENTICATED", "the token is missing or wrong"),
    403: ("PERMISSION_DENIED", "the Host header names another machine"),
    404: ("NOT_FOUND", "there is nothing at this path, or no model of this name"),
    405: ("METHOD_NOT_ALLOWED", "the path is asked by another method"),
    408: ("REQUEST_TIMEOUT", "the body did not arrive in time"),
    413: ("REQUEST_TOO_LARGE", "too many bytes, rows or characters"),
    415: ("UNSUPPORTED_MEDIA_TYPE", "the body is not JSON"),
    422: ("INVALID_PARAMETER_VALUE", "the body is JSON, and not what the model reads"),
    429: ("RESOURCE_EXHAUSTED", "too many requests wait already"),
    500: ("INTERNAL_ERROR", "the model failed"),
    503: ("TEMPORARILY_UNAVAILABLE", "the model is not there"),
    504: ("DEADLINE_EXCEEDED", "the model did not answer in time"),
}

NO_HEADERS: Final[Mapping[str, str]] = {}
HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"www-authenticate": "Bearer"},
    429: {"retry-after": "1"},
    503: {"retry-after": "1"},
}


class Refusal(Exception):
    """A request that is not answered; ``param`` is the field at fault, ``version`` the model that refused."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        remedy: str | None = None,
        param: str | None = None,
        code: str | None = None,
        version: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ):
        super().__init__(message)
        self.status, self.message, self.remedy, self.param, self.version = status, message, remedy, param, version
        self.code = code or MEANINGS[status][0]
        self.headers = {**HEADERS.get(status, NO_HEADERS), **headers}

    def said_at(self, path: str) -> dict[str, Any]:
        """The error as JSON values, in the form of the protocol that ``path`` belongs to."""
        said = f"{self.message}; {self.remedy}" if self.remedy else self.message
        return self._openai(said) if path.startswith("/v1/") else self._mlflow(said)

    def _mlflow(self, said: str) -> dict[str, Any]:
        return {"error_code": self.code, "message": said}

    def _openai(self, said: str) -> dict[str, Any]:
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status)
        kind = kind or ("server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": said, "type": kind, "param": self.param, "code": self.code.lower()}}
