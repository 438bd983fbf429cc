"""What the process writes to its log: lines for people or JSON for collectors, each with its request's id, no secrets."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

import orjson

from bot.telemetry.requests import current

_SECRETS: Final = re.compile(
    r"\bx(?:ox[a-z]|app)-[\w-]+|(?<=ticket=)[\w-]+|(?<=hooks\.slack\.com/)[\w/-]+"
    r"|\bk8s-aws-v1\.[\w-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]+"  # tokens for Kubernetes
    r"|(?<=://)[^\s/:@]*:[^\s/@]+(?=@)"  # user and password in a URL
)
TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(request)s%(message)s"


def redacted(text: str) -> str:
    """The text without tokens, socket tickets, response URLs and passwords."""
    return _SECRETS.sub("…", text)


class Redacting(logging.Filter):
    """Takes secrets out of a record, whoever logged it, and adds the request's id."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record stays, its secrets go."""
        record.msg, record.args = redacted(record.getMessage()), None
        record.request = f"[{current()}] " if current() else ""
        if record.exc_info:
            # formatted here, for a formatter would write the exception's own words
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


class Json(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if current():
            line["request"] = current()
        if record.exc_text:
            line["traceback"] = record.exc_text
        return orjson.dumps(line).decode()


def start_logging(level: str, form: str) -> None:
    """Logs to standard error as `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else logging.Formatter(TEXT))
    handler.addFilter(Redacting())
    logging.basicConfig(level=level, handlers=[handler], force=True)
