"""Immutable values, as frozen dataclasses are, at a fraction of the price.

Measured on the target machine: `dataclasses` itself and the code it generates for our 15 classes
took half of the governor's start (40 of 80 ms) and 1.5 MB of its memory. Type checkers see
`Value` as the base of a frozen dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, dataclass_transform

    V = TypeVar("V", bound="Value")
else:

    def dataclass_transform(**_):  # typing is not imported at run time
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Value:
    """Fields are the annotations of the class, in order; a class attribute is a default."""

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)

    if not TYPE_CHECKING:

        def __init__(self, *args, **named):
            if len(args) > len(self._fields):
                raise TypeError(f"{type(self).__name__} takes {len(self._fields)} values")
            for name, value in zip(self._fields, args, strict=False):
                if name in named:
                    raise TypeError(f"{type(self).__name__}.{name} is given twice")
                named[name] = value
            for name in self._fields:
                if name not in named:
                    if not hasattr(type(self), name):
                        raise TypeError(f"{type(self).__name__}.{name} is missing")
                    named[name] = getattr(type(self), name)
            if len(named) > len(self._fields):
                extra = ", ".join(named.keys() - set(self._fields))
                raise TypeError(f"{type(self).__name__} has no {extra}")
            self.__dict__.update(named)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable, use replace()")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # some values hold documents

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({inside})"


def replace(value: V, **changes: Any) -> V:
    """The value with some fields changed."""
    return type(value)(**{**value.__dict__, **changes})


def as_doc(value: Value) -> dict[str, Any]:
    """The fields by name."""
    return dict(value.__dict__)
