"""Everything that an endpoint has to offer, read once: for people who look for a series."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from hatchway.core.plan import EndpointSpec

from .catalogue import Catalogue, Family, NotMetrics, catalogue
from .http import GetFailed, get
from .promql import text_literal

TIMEOUT_S = 5.0
MOST_BYTES = 16_000_000
LATELY_S = 300.0


class Unlisted(Exception):
    """Nothing could be listed. The text says why in a few words."""


class _Series(Struct, frozen=True):
    data: list[dict[str, str]]


async def page(url: str) -> Catalogue:
    """All families of a page. Raises Unlisted."""
    try:
        content_type, body = await get(url, timeout_s=TIMEOUT_S, most=MOST_BYTES)
        return catalogue(body, content_type)
    except (GetFailed, NotMetrics) as error:
        raise Unlisted(str(error)) from None


async def listed(endpoint: EndpointSpec, stable: str) -> Catalogue:
    """All families that the endpoint has of stable (by the arm's label: `stable`).

    Raises Unlisted: cannot be read, or a command, whose page is its author's to look at.
    """
    if endpoint.both or endpoint.stable:
        return await page(endpoint.both or endpoint.stable[0])
    if endpoint.prometheus:
        return await _of_server(endpoint, stable)
    raise Unlisted("a command")


async def _of_server(endpoint: EndpointSpec, stable: str) -> Catalogue:
    """Names and labels of the series of stable, or of all that `select` leaves when it has none."""
    arm = f'{endpoint.arm_label}="{text_literal(stable)}"'
    for condition in (arm, f'{endpoint.arm_label}!=""'):
        selected = ",".join(filter(None, (condition, endpoint.select.strip().rstrip(","))))
        asked = {"match[]": f"{{{selected}}}", "start": f"{time.time() - LATELY_S:.0f}"}
        url = f"{endpoint.prometheus.rstrip('/')}/api/v1/series?{urlencode(asked)}"
        try:
            _, body = await get(url, timeout_s=TIMEOUT_S, most=MOST_BYTES)
            found = msgspec.json.decode(body, type=_Series).data
        except (GetFailed, msgspec.DecodeError) as error:
            raise Unlisted(str(error)) from None
        if found:
            return _families(found)
    raise Unlisted("the server has nothing of either arm")


def _families(found: list[dict[str, str]]) -> Catalogue:
    by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
    for labels in found:
        name = labels.get("__name__", "")
        histogram = name.endswith("_bucket") and "le" in labels
        bare = {key: value for key, value in labels.items() if key not in ("__name__", "le")}
        by_name.setdefault(name.removesuffix("_bucket") if histogram else name, []).append(
            (bare, 0.0)
        )
    histograms = {labels["__name__"].removesuffix("_bucket") for labels in found if "le" in labels}
    return {
        name: Family(name, "histogram" if name in histograms else "unknown", values=tuple(values))
        for name, values in by_name.items()
    }
