"""Cleaning what a served model is asked as its training texts were cleaned."""

import json
from dataclasses import dataclass
from typing import Any, Self

from luthier.data.row_content import IN_PLACE
from luthier.data.text import in_place
from luthier.data.text_cleaning import TextCleaner
from luthier.data.unusable import Unusable
from luthier.errors import DataError
from luthier.recipe.data_section import Cleaning


@dataclass(frozen=True)
class InputCleaning:
    """The recipe's cleaning.

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

    def row(self, number: int, given: dict[str, str | None]) -> dict[str, str | None]:
        """A row's text, pair and messages (JSON), cleaned where they are there.

        Raises:
            DataError: a text cannot be cleaned.
        """
        text, pair, messages = (given[name] for name in ("text", "pair", "messages"))
        try:
            return {
                "text": text if text is None else self._text(text),
                "pair": pair if pair is None else self._cleaned([pair])[0],
                "messages": messages if messages is None else self._conversation(json.loads(messages)),
            }
        except Unusable as unusable:
            raise DataError(f"row {number} cannot be read", received=unusable.reason) from None

    def _text(self, text: str) -> str:
        return in_place(text) if self.offsets else self._cleaned([text], lines=self.lines)[0]

    def _conversation(self, turns: list[dict[str, str]]) -> str:
        contents = self._cleaned([turn["content"] for turn in turns], lines=True)
        said = [{**turn, "content": content} for turn, content in zip(turns, contents, strict=True)]
        return json.dumps(said, ensure_ascii=False)

    def _cleaned(self, given: list[str], *, lines: bool = False) -> list[str]:
        texts = TextCleaner(self.cleaning)
        clean = [(texts.lines if lines else texts.line)(text) for text in given]
        return list(texts.without_pii(clean)[0]) if self.cleaning.pii == "mask" else clean
