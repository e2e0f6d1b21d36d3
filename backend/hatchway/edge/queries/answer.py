"""Answers a query, or says why not. What fails in the making is told and logged, never raised."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from hatchway.edge import protocol as p

log = logging.getLogger("hatchway.edge")

Make = Callable[[str], msgspec.Struct | Awaitable[msgspec.Struct]]
"""Makes the answer about a service or a run. Quick, as it runs in the event loop, or awaited.

Raises NotKnown.
"""

Queries = Mapping[str, Make]
"""By the kind of query."""


class NotKnown(Exception):
    """There is nothing to say about that; the text says why."""


async def answer(queries: Queries, query: p.Query) -> p.Told | p.Refused:
    """The answer to `query`."""
    make = queries.get(query.kind)
    if make is None:
        why = f"this backend does not know the query {query.kind[:40]!a}"
        return p.Refused(query.id, "unknown_query", why, "use the same hatchway on both sides")
    try:
        made = make(query.about)
        doc = msgspec.Raw(p.encode(await made if inspect.isawaitable(made) else made))
    except NotKnown as why:
        return p.Refused(query.id, "not_known", str(why))
    except Exception as error:
        log.exception("the query %s about %r cannot be answered", query.kind, query.about)
        return p.Refused(query.id, "failed", f"it cannot be shown: {type(error).__name__}: {error}")
    return p.Told(query.id, query.kind, query.about, doc)
