"""What ``data.cleaning`` does to any text of a row."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from luthier.data.pii import masked
from luthier.data.text import clean_lines, clean_text, readable
from luthier.data.unusable import Unusable
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import Cleaning


class TextCleaner:
    """Cleans texts as a recipe says; every method raises Unusable for a text that makes its row so."""

    def __init__(self, settings: "Cleaning"):
        """Raises DataError for settings that contradict each other."""
        self._settings = settings
        if settings.min_characters > settings.max_characters:
            raise DataError(
                "data.cleaning.min_characters is greater than max_characters",
                received=(settings.min_characters, settings.max_characters),
                remedy="lower the first",
            )

    def line(self, raw: str) -> str:
        """A readable text without line breaks."""
        return self._readable(raw, clean_text)

    def lines(self, raw: str) -> str:
        """A readable text that keeps its lines."""
        return self._readable(raw, clean_lines)

    def require_length(self, text: str) -> None:
        """The text of a row is neither too short nor too long."""
        if len(text) < self._settings.min_characters:
            limit = f"data.cleaning.min_characters is {self._settings.min_characters}"
            raise Unusable("too short", f"{len(text)} characters, {limit}")
        self.require_at_most(text)

    def require_at_most(self, text: str, *, of: str = "") -> None:
        """A text is not too long; ``of`` says whose characters they are."""
        if len(text) > self._settings.max_characters:
            limit = f"data.cleaning.max_characters is {self._settings.max_characters}"
            raise Unusable("too long", f"{len(text)} characters{of}, {limit}")

    def without_pii(self, texts: Sequence[str]) -> tuple[Sequence[str], Mapping[str, int]]:
        """The texts, masked where the recipe says so, and how many pieces of personal data they have, by kind."""
        if self._settings.pii == "off":
            return texts, {}
        hidden, counts = zip(*map(masked, texts), strict=True)
        found = sum(map(Counter, counts), Counter[str]())
        if found and self._settings.pii == "reject":
            raise Unusable("personal data", ", ".join(f"{count} {kind}" for kind, count in sorted(found.items())))
        return hidden if self._settings.pii == "mask" else texts, found

    def _readable(self, raw: str, clean: Callable[[str], str]) -> str:
        try:
            return readable(raw, repair=self._settings.repair, strip=self._settings.html == "strip", clean=clean)
        except DataError as error:
            raise Unusable("nested markup", error.what) from None
