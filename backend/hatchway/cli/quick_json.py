"""JSON for a stop's one question and one answer, without the module `json`.

`json` needs regular expressions and these need enums: 11 ms of processor time to import on the
target machine, a third of what `hatchway pause` may take in all. Everything valid is read as
`json` reads it; a long text is left to `json`, which is quicker at it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Doc = dict[str, Any]

LONG = 8192
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
WORDS = {"true": True, "false": False, "null": None}


def loads(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, RecursionError."""
    if len(text) > LONG:
        import json  # noqa: PLC0415

        return json.loads(text)
    value, end = _value(text, _blanks(text, 0))
    if _blanks(text, end) != len(text):
        raise ValueError("there is more than one value")
    return value


def dumps(doc: Doc) -> str:
    """An object of texts, numbers and truth values, in ASCII."""
    return "{" + ",".join(f"{_quoted(k)}:{_plain(v)}" for k, v in doc.items()) + "}"


def _plain(value: str | int | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    number = ord(char)
    if 32 <= number < 127 and char not in '"\\':
        return char
    if number > 0xFFFF:  # as a pair of surrogates
        number -= 0x10000
        return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
    return f"\\u{number:04x}"


def _blanks(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\n", "\r"):
        at += 1
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    first = text[at : at + 1]
    if first == '"':
        return _string(text, at + 1)
    if first == "{":
        return _object(text, at)
    if first == "[":
        return _array(text, at)
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] in "+-."):
        end += 1
    word = text[at:end]
    if word in WORDS:
        return WORDS[word], end
    if not word or not set(word) <= set("0123456789+-.eE"):
        raise ValueError(f"no value at {at}")
    return (int if set(word) <= set("0123456789-") else float)(word), end


def _object(text: str, at: int) -> tuple[Doc, int]:
    found: Doc = {}
    at = _blanks(text, at + 1)
    while text[at : at + 1] != "}":
        if found:
            at = _blanks(text, _past(",", text, at))
        key, at = _string(text, _past('"', text, at))
        at = _past(":", text, _blanks(text, at))
        found[key], at = _value(text, _blanks(text, at))
        at = _blanks(text, at)
    return found, at + 1


def _array(text: str, at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _blanks(text, at + 1)
    while text[at : at + 1] != "]":
        if found:
            at = _blanks(text, _past(",", text, at))
        item, at = _value(text, at)
        found.append(item)
        at = _blanks(text, at)
    return found, at + 1


def _past(expected: str, text: str, at: int) -> int:
    if text[at : at + 1] != expected:
        raise ValueError(f"{expected} is missing at {at}")
    return at + 1


def _string(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        char = text[at : at + 1]
        if char == '"':
            break
        if char < " ":  # a control character, or the end
            raise ValueError(f"a text is cut off at {at}")
        at += 1
        if char == "\\":
            char, at = _escape(text, at)
        parts.append(char)
    whole = "".join(parts)
    if any("\ud800" <= c <= "\udfff" for c in parts):  # pairs of surrogates are one character
        whole = whole.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return whole, at + 1


def _escape(text: str, at: int) -> tuple[str, int]:
    char = text[at : at + 1]
    if char == "u":
        digits = text[at + 1 : at + 5]
        if len(digits) != 4 or not all(d in "0123456789abcdefABCDEF" for d in digits):
            raise ValueError(f"no character has the number at {at}")
        return chr(int(digits, 16)), at + 5
    if char not in ESCAPES:
        raise ValueError(f"there is no such escape at {at}")
    return ESCAPES[char], at + 1
