"""The queries that pages ask, and the structs that answer them."""

from __future__ import annotations

from msgspec import Struct

from hatchway.edge.docs.changes import ChangesDoc
from hatchway.edge.docs.handover import HandoverDoc
from hatchway.edge.docs.log import JobLog
from hatchway.edge.docs.plan import PlanDoc
from hatchway.edge.docs.policy import PolicyDoc
from hatchway.edge.docs.record import RecordDoc
from hatchway.edge.docs.run import RunStory
from hatchway.edge.docs.why import WhyDoc

DOCS: dict[str, type[Struct]] = {
    "run": RunStory,
    "why": WhyDoc,
    "changes": ChangesDoc,
    "log": JobLog,
    "policy": PolicyDoc,
    "record": RecordDoc,
    "handover": HandoverDoc,
    "plan": PlanDoc,
}
"""By the kind of query: what `Told.doc` is."""

PREFIX = "q:"
"""Ids of queries begin so; what follows is KIND/ABOUT, the key in `Model.told`."""
