"""Structs made up from their types, every free text in them hostile.

Made from the types and not by hand: what a page shows tomorrow is poisoned as well.
"""

from __future__ import annotations

import importlib.util
import itertools
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

NUMBERS = (1.0, 0.0, -1.0, 7.25, 1e12, 1_790_000_000.0, 0.5, 99.0, 3.0)
DEEPEST = 8


def _corpus() -> Any:
    path = Path(__file__).parents[2] / "hostile" / "corpus.py"
    spec = importlib.util.spec_from_file_location("corpus_of_hostile_texts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CORPUS = _corpus()
TEXTS: tuple[str, ...] = tuple(text[:2_000] for text in CORPUS.TEXTS.values())
LEAKS: tuple[str, ...] = tuple(CORPUS.LEAKS)


class Drug:
    """Makes values of any type of the wire; `turn` shifts which text and which word goes where.

    `spare`: what a field of this name has, where a thing must be found by its name.
    """

    def __init__(self, turn: int, spare: dict[str, object]) -> None:
        self._turn, self._spare = turn, spare
        start = turn * 7 % len(TEXTS)
        self._texts: Iterator[str] = itertools.cycle(TEXTS[start:] + TEXTS[:start])
        self._numbers = itertools.cycle(NUMBERS[turn % len(NUMBERS) :] + NUMBERS)
        self._words = itertools.count(turn)
        self.count = 0

    def text(self) -> str:
        """The next hostile text."""
        self.count += 1
        return next(self._texts)

    def make(self, kind: Any, depth: int = 0) -> Any:
        """A value of the type."""
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            hints = typing.get_type_hints(kind)
            return kind(
                **{
                    name: self._spare[name]
                    if name in self._spare
                    else self.make(hints[name], depth + 1)
                    for name in kind.__struct_fields__
                }
            )
        if origin is typing.Literal:
            return inner[next(self._words) % len(inner)]
        if origin in (typing.Union, types.UnionType):
            real = [each for each in inner if each is not type(None)]
            none = type(None) in inner and (depth > DEEPEST or next(self._words) % 5 == 4)
            return None if none else self.make(real[next(self._words) % len(real)], depth)
        if origin is tuple and inner[1:] != (...,):
            return tuple(self.make(each, depth + 1) for each in inner)
        if origin in (tuple, list):
            many = 0 if depth > DEEPEST else 3 if depth < 4 else 1
            made = [self.make(inner[0], depth + 1) for _ in range(many)]
            return tuple(made) if origin is tuple else made
        if origin is dict:
            return {} if depth > DEEPEST else {
                self.make(inner[0], depth + 1): self.make(inner[1], depth + 1) for _ in range(2)
            }  # fmt: skip
        return self._plain(kind)

    def _plain(self, kind: Any) -> Any:
        if kind is str:
            return self.text()
        if kind is bool:
            return bool(next(self._words) % 2)
        if kind is int:
            return int(next(self._numbers))
        if kind is float:
            return next(self._numbers)
        raise AssertionError(f"no hostile value is known for {kind!r}: teach it to this file")
