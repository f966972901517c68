import json
import logging

import pytest

from luthier.serving.json_log import JsonLines


@pytest.mark.parametrize("mark", ["\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\u2029", "é", '"'])
def test_an_entry_is_one_line_whatever_its_texts_hold(mark: str) -> None:
    record = logging.LogRecord("luthier", logging.INFO, __file__, 1, "asked %s", (mark,), None)
    record.fields = {"texts": [f"one{mark}two"]}
    (line,) = JsonLines().format(record).splitlines()
    assert json.loads(line)["texts"] == [f"one{mark}two"]
    assert json.loads(line)["message"] == f"asked {mark}"
