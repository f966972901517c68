"""The page at ``/``, and what it asks: one row, answered with the scores of all labels."""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from luthier.evaluation.page_environment import page_environment
from luthier.serving.job import Columns
from luthier.serving.json_body import answered, json_body
from luthier.serving.refusal import Refusal
from luthier.serving.service import Service


class Trial:
    """One row at a time, for people."""

    def __init__(self, service: Service, *, needs_token: bool):
        self.service = service
        self.html = render_trial_page(service, needs_token=needs_token)
        self.policy = content_policy(self.html)

    async def page(self, request: Request) -> Response:
        headers = {
            "content-security-policy": self.policy,
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        return Response(self.html, media_type="text/html", headers=headers)

    async def answer(self, request: Request) -> Response:
        """``{"text": "..."}`` with all columns of a row, answered with scores where labels have such."""
        columns = read_row(await json_body(request), self.service.described.inputs)
        self.service.require(columns, 1)
        answer = await self.service.ask(request, columns, 1)
        said = {
            "version": answer.version,
            "answer": answer.answers[0],
            "scores": answer.scores[0] if answer.scores else None,
        }
        return answered(said, answer.version)


def read_row(body: Any, inputs: Sequence[str]) -> Columns:
    if not isinstance(body, dict) or not body:
        raise Refusal(422, "the body is no JSON object", remedy=f"send {', '.join(inputs)}")
    return {name: [text] for name, text in body.items()}


def render_trial_page(service: Service, *, needs_token: bool) -> str:
    """The page for the columns and the protocol of the model; it loads nothing from outside."""
    described = service.described
    template = page_environment(Path(__file__).parent).get_template("trial.html.j2")
    return template.render(
        model=service.settings.model,
        task=described.task,
        inputs=described.inputs,
        chat=described.is_chat,
        needs_token=needs_token,
        characters=service.limits.characters,
    )


def content_policy(html: str) -> str:
    """Allows the page's own script by its hash, its styles, and questions to where it came from."""
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
