"""The queries that pages ask, and the structs that answer them."""

from __future__ import annotations

from msgspec import Struct

DOCS: dict[str, type[Struct]] = {}
"""By the kind of query: what `Told.doc` is."""

PREFIX = "q:"
"""Ids of queries begin so; what follows is KIND/ABOUT, the key in `Model.told`."""
