"""A page as a browser reads it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The tags, attributes and text of a page as a browser reads them, and the texts that bdi isolates."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.isolated: list[str] = []
        self.open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.text += " " if tag in ("th", "td", "dt", "dd") else ""
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "bdi":
            self.isolated.append("")
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "bdi"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open:
            self.isolated[-1] += data
