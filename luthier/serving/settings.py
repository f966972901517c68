"""What a server is started with."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

TOKEN_VARIABLE: Final = "LUTHIER_SERVE_TOKEN"
HOST: Final = "127.0.0.1"
FILE: Final = "settings.json"

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Limits:
    """The most that is taken. A request that has more is refused whole: nothing is cut in silence.

    ``characters`` are those of one text, ``waiting`` the requests that are not answered yet, ``seconds`` the time
    until an answer begins. ``batch_rows`` is what the model is given at once; a request with more is not divided.
    """

    body_bytes: int = 1_000_000
    rows: int = 256
    characters: int = 20_000
    waiting: int = 128
    seconds: float = 30.0
    batch_rows: int = 64


@dataclass(frozen=True)
class Kept:
    """Where a ``share`` of the answered rows is kept, for so many ``days``; None is for ever."""

    folder: str
    share: float
    days: int | None


@dataclass(frozen=True)
class Settings:
    """``hosts`` are the names, besides this machine's own, under which a browser may ask.

    ``threads`` are those of the model, and ``at_once`` batches share them. ``precision`` is that of matrix
    products: the model was measured in float32.
    """

    model: str
    port: int
    threads: int
    at_once: int = 1
    precision: Precision = "float32"
    alias: str | None = None
    hosts: tuple[str, ...] = ()
    log_texts: bool = False
    kept: Kept | None = None
    limits: Limits = field(default_factory=Limits)

    def write(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def read(cls, folder: Path) -> "Settings":
        return TypeAdapter(cls).validate_json((folder / FILE).read_text())

    @property
    def allowed_hosts(self) -> frozenset[str]:
        return frozenset({HOST, "localhost", "[::1]", *self.hosts})
