"""Which version each instance says that it runs, on the page that its metrics are on. Pure.

Usually `build_info{version="1.5.0"} 1`. An instance that cannot be read, or does not say it, is
there with an empty version: what is not known is not the right one.
"""

from __future__ import annotations

from hatchway.core.plan import SeriesRef, ServiceSpec
from hatchway.core.undo import Instance

from .increments import Source, matching
from .port import Page, Scrape


def attested(service: ServiceSpec, scrape: Scrape, arm: str) -> tuple[Instance, ...]:
    """The instances of an arm by their address; empty where the service does not attest."""
    attests = service.attests
    if attests is None:
        return ()
    source = Source(service)
    ref = source.narrowed(SeriesRef(attests.series), attests.source, arm)
    pages = source.pages(scrape, attests.source, arm)
    return tuple(_instance(page, ref, attests.label) for page in pages)


def _instance(page: Page, ref: SeriesRef, label: str) -> Instance:
    name = page.url.rpartition("#")[2] if "#" in page.url else page.url
    said = {
        dict(key[1]).get(label, "")
        for key in matching(ref, page.values)
        if page.values[key] > 0  # a series that is 0 is of a version that was there before
    } - {""}
    return Instance(name, " and ".join(sorted(said)))
