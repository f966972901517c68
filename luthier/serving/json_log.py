"""Logs as one JSON object a line, on standard error."""

import json
import logging
import sys
import time
from typing import Any


class JsonLines(logging.Formatter):
    """What is given as ``extra={"fields": ...}`` stands beside time, level and message."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        # Some readers end a line at other characters than a line feed, as at U+2028, and texts have them.
        return json.dumps(said)


def log_as_json() -> None:
    """All loggers of this process write so; those of libraries only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("luthier").setLevel(logging.INFO)
    # It advises to install a package that fetches native code, whenever it is imported on some processors.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
