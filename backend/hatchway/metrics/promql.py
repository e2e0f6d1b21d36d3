"""Questions to a server with Prometheus' query API, and its answers as numbers.

Raw samples are asked for (`name[6s]` as an instant query), never rate(): a rate is a guess that
goes on for seconds after its instance hangs, and no difference of counters can be made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite, nan
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct

from .exposition import Unreadable

Point = tuple[float, str | None]  # the time in seconds since the epoch, and a number as text


class Line(Struct, frozen=True):
    """One series and its raw samples, oldest first."""

    metric: dict[str, str]
    values: list[Point]

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.metric.get("__name__", "")

    @property
    def newest(self) -> tuple[float, float]:
        """Time and value of the newest sample. No number (or a mark that it ended) is NaN."""
        at, text = self.values[-1]
        return at, number(text)


class _Vector(Struct, frozen=True):
    value: Point


class _Data(Struct, frozen=True, rename="camel"):
    result_type: str
    result: Raw


class _Answer(Struct, frozen=True, rename="camel"):
    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""


def text_literal(text: str) -> str:
    """`text` inside the double quotes of a PromQL string."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def one_of(values: Iterable[str]) -> str:
    """A label's condition: any of these values."""
    return f'=~"{text_literal("|".join(re.escape(value) for value in values))}"'


def raw(
    names: Iterable[str], arm_label: str, arms: Iterable[str], select: str, seconds: int
) -> str:
    """The samples of the last seconds, of every series with one of the names that is on an arm.

    Series without the arm's label are included: `up` may not have it.
    """
    conditions = [f"__name__{one_of(sorted(names))}", f"{arm_label}{one_of((*arms, ''))}"]
    if select.strip():
        conditions.append(select.strip().rstrip(","))
    return f"{{{','.join(conditions)}}}[{seconds}s]"


def address(server: str, query: str, *, newest: bool = True) -> str:
    """Where the answer to an instant query is.

    VictoriaMetrics leaves out the newest 30 s unless it may not cache; Prometheus ignores that.
    """
    asked = {"query": query, **({"nocache": "1"} if newest else {})}
    return f"{server.rstrip('/')}/api/v1/query?{urlencode(asked)}"


def number(text: str | None) -> float:
    """A sample's number; NaN for what is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return nan


def lines(body: bytes) -> list[Line]:
    """The series in the answer to a question for raw samples."""
    data = _data(body)
    if data.result_type != "matrix":
        raise Unreadable(f"a {data.result_type} instead of samples")
    try:
        found = msgspec.json.decode(data.result, type=list[Line])
    except msgspec.DecodeError as error:
        raise Unreadable(f"not the answer of a metrics server: {error}") from None
    return [line for line in found if line.values]


def one_number(body: bytes) -> float | None:
    """The answer to a query that gives one number; None when it gives none, or NaN or infinity.

    No series is what a ratio gives before its first event, NaN what it gives without traffic:
    neither is zero. Raises `Unreadable` for several series.
    """
    data = _data(body)
    try:
        if data.result_type == "scalar":
            point = msgspec.json.decode(data.result, type=Point)
        elif data.result_type == "vector":
            found = msgspec.json.decode(data.result, type=list[_Vector])
            if len(found) > 1:
                raise Unreadable(
                    f"the query gives {len(found)} series for one arm, it must give one number"
                )
            if not found:
                return None
            point = found[0].value
        else:
            raise Unreadable(f"the query gives a {data.result_type}, it must give one number")
    except msgspec.DecodeError as error:
        raise Unreadable(f"not the answer of a metrics server: {error}") from None
    value = number(point[1])
    return value if isfinite(value) else None


def refusal(body: bytes) -> str:
    """What a server says in an error's body, in its own words; empty when it says nothing."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    said = " ".join(answer.error.split())[:160]
    return f"{answer.error_type}: {said}" if said else ""


def _data(body: bytes) -> _Data:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable("not the answer of a metrics server") from None
    if answer.status != "success" or answer.data is None:
        raise Unreadable(refusal(body) or "the server refuses the query")
    return answer.data
