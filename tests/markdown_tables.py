"""Tables in a Markdown text, as GitHub reads them."""


def tables(text: str) -> list[list[str]]:
    """The lines of each: head, rule and rows. One stands after an empty line, and all its lines are of one width."""
    lines, found = text.splitlines(), []
    for place, line in enumerate(lines):
        if not line.startswith("|---"):
            continue
        end = next((row for row in range(place, len(lines)) if not lines[row]), len(lines))
        table = lines[place - 1 : end]
        bare = [row.replace("\\|", "") for row in table]
        assert len(table) > 2 and all(row.startswith("|") for row in bare), table
        assert {row.count("|") for row in bare} == {line.count("|")}, table
        assert place == 1 or lines[place - 2] == "", table
        found.append(table)
    return found
