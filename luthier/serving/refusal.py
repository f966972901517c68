"""Errors as a client reads them: MLflow's form, and OpenAI's under ``/v1``."""

import json
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
    ):
        super().__init__(message)
        self.status, self.message, self.remedy, self.param, self.version = status, message, remedy, param, version
        self.code = code or MEANINGS[status][0]

    @property
    def headers(self) -> dict[str, str]:
        match self.status:
            case 401:
                return {"www-authenticate": "Bearer"}
            case 429 | 503:
                return {"retry-after": "1"}
        return {}

    def body(self, path: str) -> bytes:
        """The error as JSON, in the form of the protocol that ``path`` belongs to."""
        said = f"{self.message}; {self.remedy}" if self.remedy else self.message
        return json.dumps(self._openai(said) if path.startswith("/v1/") else self._mlflow(said)).encode()

    def _mlflow(self, said: str) -> dict[str, Any]:
        return {"error_code": self.code, "message": said}

    def _openai(self, said: str) -> dict[str, Any]:
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status)
        kind = kind or ("server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": said, "type": kind, "param": self.param, "code": self.code.lower()}}
