"""Text from data in Markdown: shown as it is, whatever it holds."""

import re

SPECIAL = re.compile(r"([\\`*_{}\[\]#|~!])")
# GitHub's dialect makes links of bare addresses.
ADDRESS = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp|www)(?=[:.])")


def escaped(text: str) -> str:
    """``text`` as one line that Markdown, and the HTML in it, shows as it is."""
    line = SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", text))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def md(text: str) -> str:
    """The same, and no bare address in it becomes a link."""
    return ADDRESS.sub(lambda found: f"{found[0]}&#8203;", escaped(text))
