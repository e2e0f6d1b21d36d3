"""Puts the corpus into every free text of a document or an event, whatever its struct is."""

from __future__ import annotations

import itertools
import typing
from collections.abc import Iterator
from typing import Any

import hostile_hostile_corpus as corpus  # type: ignore[import-not-found]  # by conftest.py
import msgspec


class Poison:
    """`turn` shifts which text goes where; fields in `spare` keep what they have."""

    def __init__(self, turn: int, spare: tuple[str, ...] = (), longest: int = 2_000) -> None:
        texts = [text[:longest] for text in corpus.TEXTS.values()]
        start = turn * 7 % len(texts)
        self._texts: Iterator[str] = itertools.cycle(texts[start:] + texts[:start])
        self._spare = spare
        self.count = 0

    def into(self, value: Any) -> Any:
        """The same struct with hostile texts."""
        hints = typing.get_type_hints(type(value))
        changed = {
            name: self._field(hints[name], getattr(value, name))
            for name in value.__struct_fields__
            if name not in self._spare
        }
        return msgspec.structs.replace(value, **changed)

    def _field(self, hint: Any, value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return self.into(value)
        if isinstance(value, str):
            return self._text() if hint is str or str in typing.get_args(hint) else value
        if isinstance(value, tuple) and value:
            inner = (typing.get_args(hint) or (None,))[0]
            return tuple(self._field(inner, one) for one in value)
        if isinstance(value, dict) and value:
            inner = (typing.get_args(hint) or (None, None))[1]
            return {key: self._field(inner, one) for key, one in value.items()}
        return value

    def _text(self) -> str:
        self.count += 1
        return next(self._texts)
