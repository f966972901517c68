"""Cleaning what a model is asked as its training texts were cleaned."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import TypeAdapter

from luthier.data.row_content import IN_PLACE
from luthier.data.text import clean_in_place
from luthier.data.text_cleaning import TextCleaner
from luthier.data.unusable import Unusable
from luthier.errors import DataError
from luthier.recipe.data_section import Cleaning


@dataclass(frozen=True)
class InputCleaning:
    """The recipe's cleaning; of a text that is clean already it changes nothing.

    ``offsets`` says that answers count the characters of the text, so none of it moves; ``lines`` that texts keep their
    lines, as those of conversations do. Rows are never refused for their length, which the model cuts, or for personal
    data that they have.
    """

    cleaning: Cleaning
    offsets: bool = False
    lines: bool = False

    @classmethod
    def of_splits(cls, data: dict[str, Any]) -> Self:
        """The cleaning of rows, from the part of a ``data`` section that decided about them."""
        cleaning = Cleaning.model_validate(data["cleaning"])
        return cls(cleaning, data["label_kind"] in IN_PLACE, data["columns"]["text"] is None)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """What a package's configuration says of it."""
        return TypeAdapter(cls).validate_python(config)

    def row(self, number: int, given: dict[str, str | None]) -> dict[str, str | None]:
        """A row's text, pair and messages (JSON), cleaned where they are there.

        Raises:
            DataError: a text cannot be cleaned.
        """
        text, pair, messages = (given[name] for name in ("text", "pair", "messages"))
        try:
            return {
                "text": text if text is None else self.text(text),
                "pair": pair if pair is None else self.pair(pair),
                "messages": messages if messages is None else self._conversation(json.loads(messages)),
            }
        except Unusable as unusable:
            raise DataError(f"row {number} cannot be read", received=unusable.reason) from None

    def text(self, raw: str) -> str:
        """A row's text; empty when nothing visible is left. Raises Unusable."""
        return clean_in_place(raw) if self.offsets else self._cleaned(raw, lines=self.lines)

    def pair(self, raw: str) -> str:
        """A row's second text. Raises Unusable."""
        return self._cleaned(raw, lines=False)

    def said(self, raw: str) -> str:
        """What somebody says in a conversation. Raises Unusable."""
        return self._cleaned(raw, lines=True)

    def _conversation(self, turns: list[dict[str, str]]) -> str:
        said = [{**turn, "content": self.said(turn["content"])} for turn in turns]
        return json.dumps(said, ensure_ascii=False)

    def _cleaned(self, raw: str, *, lines: bool) -> str:
        texts = TextCleaner(self.cleaning)
        clean = texts.lines(raw) if lines else texts.line(raw)
        return texts.without_pii([clean])[0][0] if self.cleaning.pii == "mask" else clean


UNCLEANED: Final = InputCleaning(Cleaning(repair=False, html="keep"))
"""For a model that is asked what it is given as it is: shows whether a text says anything."""
