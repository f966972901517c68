"""Messages to people: posted to a webhook that takes Slack's JSON, or given to a command."""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from luthier.errors import LuthierError
from luthier.recipe.on_failure_section import OnFailureSection
from resources.tracking_run import shortened

WEBHOOK_SECONDS = 10.0
COMMAND_SECONDS = 20.0
# Slack takes at most 3,000 characters in one block.
LONGEST_WHY = 2000
LONGEST_SAID = 300


class NotSent(Exception):
    """A message that did not arrive, and why; no address and no secret stands in it."""


@dataclass(frozen=True)
class Message:
    """What happened to a recipe, and why; ``link`` is the page of ``run_id`` in Dagster."""

    recipe: str
    what: str
    why: str
    run_id: str | None
    link: str | None

    @property
    def text(self) -> str:
        """All of it, as a person reads it."""
        return "\n".join(part for part in (f"{self.recipe}: {self.what}", self.why, self.link) if part)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "text": self.text}

    def as_slack(self) -> dict[str, Any]:
        """``text`` is what a notification shows, ``blocks`` what stands in the channel."""
        why = shortened(self.why, LONGEST_WHY)
        lines = [f"*{escaped(self.recipe)}*: {escaped(self.what)}", escaped(why)]
        if self.link:
            lines.append(f"<{self.link}|Dagster run {(self.run_id or '')[:8]}>")
        text = "\n".join(line for line in lines if line)
        return {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}


def hooks_of(section: OnFailureSection) -> dict[str, dict[str, Any]]:
    """What is to be called, by kind; as plain values that can be stored, with names of secrets and no secret."""
    hooks: dict[str, dict[str, Any]] = {}
    if section.webhook.url_env:
        hooks["webhook"] = {"url_env": section.webhook.url_env}
    if section.command:
        hooks["command"] = {"command": list(section.command)}
    return hooks


def send(message: Message, kind: str, hook: Mapping[str, Any], *, folder: Path) -> None:
    """Calls one hook of ``hooks_of`` and waits for it; a command runs in ``folder``. Raises NotSent."""
    try:
        if kind == "webhook":
            post(message, hook["url_env"])
        else:
            run_command(message, hook["command"], folder=folder)
    except NotSent:
        raise
    except Exception as error:
        # Its text may repeat the URL.
        raise NotSent(f"{kind}: {type(error).__name__}") from error


def post(message: Message, url_env: str, *, seconds: float = WEBHOOK_SECONDS) -> None:
    """Posts to the URL that the environment variable holds. Raises NotSent, which names its host alone."""
    url = os.environ.get(url_env, "").strip()
    if not url:
        raise NotSent(f"the environment variable {url_env} is not set")
    host = web_host(url)
    if host is None:
        raise NotSent(f"{url_env} holds no http or https URL")
    status = asyncio.run(_status(url, host, message.as_slack(), seconds))
    if not 200 <= status < 300:
        raise NotSent(f"{host} answered {status}")


def web_host(url: str) -> str | None:
    """The host of a URL of the web; None of anything else."""
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None


async def _status(url: str, host: str, content: Mapping[str, Any], seconds: float) -> int:
    import aiohttp

    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            # Whoever answers elsewhere is not who was asked.
            session.post(url, json=content, allow_redirects=False) as answer,
        ):
            return answer.status
    except TimeoutError:
        raise NotSent(f"{host} did not answer within {seconds:g} seconds") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # What these say may repeat the URL.
        raise NotSent(f"{host} was not reached: {type(error).__name__}") from None


def run_command(message: Message, command: list[str], *, folder: Path, seconds: float = COMMAND_SECONDS) -> None:
    """Runs a program with the message as JSON on its standard input. Raises NotSent."""
    program = command[0]
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                start_new_session=True,
            )
        except OSError as error:
            raise NotSent(f"{program} did not start: {error.strerror}") from None
        try:
            process.communicate(json.dumps(message.as_json()).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise NotSent(f"{program} did not end within {seconds:g} seconds") from None
        if process.returncode:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()[-LONGEST_SAID:]
            raise NotSent(f"{program} ended with exit code {process.returncode}{f': {said}' if said else ''}")


def escaped(text: str) -> str:
    """Text in which Slack sees neither links nor mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def declared_hooks(path: Path) -> dict[str, dict[str, Any]]:
    """The hooks in a recipe's file, read even where the rest of the recipe is wrong: its run fails for that.

    Raises:
        LuthierError: the file cannot be read, or the section is wrong.
    """
    from pydantic import ValidationError

    from luthier.recipe.positions import read_document

    given = read_document(path).values.get("on_failure")
    try:
        return {} if given is None else hooks_of(OnFailureSection.model_validate(given))
    except ValidationError:
        raise LuthierError(
            "on_failure cannot be understood, so nobody is told",
            where=str(path),
            remedy=f"luthier recipe check {path.stem} says what is wrong with it",
        ) from None
