"""Response bodies as JSON values: parsed, or text, or base64, never guessed and never patched up."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, Final

from millrace.adapters.http.refusals import Refused, unreadable
from millrace.base.canonical import dumps, parse_json
from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import KIB
from millrace.ports.runners import Failure

EXCERPT_CHARS: Final = 2 * KIB

_JSON: Final = re.compile(r"(application|text)/(json|[a-z0-9.+-]+\+json)")
_TEXT: Final = re.compile(
    r"text/.*|application/(xml|javascript|ecmascript|graphql|x-www-form-urlencoded|x-ndjson|jsonl|yaml|x-yaml|toml"
    r"|[a-z0-9.+-]+\+(xml|yaml))"
)
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
# Python knows codecs that are no charsets (unicode_escape, idna); a server chooses from this list only.
CHARSETS: Final = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf-32"}
    | {f"iso-8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)}
    | {f"windows-125{part}" for part in range(9)}
    | {"latin1", "shift_jis", "euc-jp", "iso-2022-jp", "gb2312", "gbk", "gb18030", "big5", "euc-kr", "koi8-r", "koi8-u"}
)


def read_body(body: bytes, content_type: str, *, scrub: Callable[[bytes], bytes] = bytes) -> Any:
    """The body as a JSON value: None when empty, the parsed value of a JSON type, text of a text type (and of no
    type at all, when it is UTF-8), otherwise ``{"base64": …}`` of the bytes after ``scrub``.

    Raises Refused: ``schema``/``invalid-json`` or ``charset``, or ``too-large`` past the limits of a JSON value.
    """
    if not body:
        return None
    media, charset = media_type(content_type)
    if _JSON.fullmatch(media):
        return _json(body)
    if _TEXT.fullmatch(media):
        return _text(body, charset)
    if not media:
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    return {"base64": base64.b64encode(scrub(body)).decode()}


def excerpt(body: bytes, content_type: str) -> Any:
    """What a failure keeps of an error response: the value when it is small, otherwise the beginning of its text;
    empty when it cannot be read."""
    try:
        value = read_body(body, content_type)
    except Refused:
        return ""
    text = value if isinstance(value, str) else dumps(value).decode()
    if len(text) <= EXCERPT_CHARS:
        return value
    return text[:EXCERPT_CHARS]


def media_type(content_type: str) -> tuple[str, str]:
    """The media type and charset of a Content-Type value, both in lower case, empty where absent."""
    charset = _CHARSET.search(content_type)
    return content_type.split(";", 1)[0].strip().lower(), charset[1].lower() if charset else ""


def _json(body: bytes) -> Any:
    try:
        return parse_json(body)
    except TooLarge as error:
        raise Refused(Failure("too-large", "response-json", error.message, False, error.hint, error.facts)) from None
    except InvalidRequest as error:
        raise unreadable(
            "invalid-json",
            f"the response says it is JSON, but {error.message}",
            "The server must send what its Content-Type says.",
            **error.facts,
        ) from None


def _text(body: bytes, charset: str) -> str:
    charset = charset or "utf-8"
    if charset not in CHARSETS:
        raise unreadable("charset", f"the response is in the unknown charset {charset[:40]!r}")
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise unreadable(
            "charset",
            f"byte {error.start} of the response is not {charset}",
            "The server must send the charset that its Content-Type names.",
        ) from None
