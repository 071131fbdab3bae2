"""Values that fit their declared type: the one check behind overrides, recipe files and recipes written in Python."""

from __future__ import annotations

import math
import types
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from inceptions.errors import UsageError


@dataclass(frozen=True, slots=True)
class Between:
    """The numbers a field may take, written into its type: `Annotated[float, Between(0, 1)]`.

    Attributes:
        least: the smallest allowed number.
        most: the largest allowed number.
        exclusive: `least` itself is not allowed.
    """

    least: float
    most: float = math.inf
    exclusive: bool = False

    def holds(self, number: float) -> bool:
        """Whether the number is in the range."""
        return math.isfinite(number) and self.least <= number <= self.most and not (self.exclusive and number == self.least)

    def __str__(self) -> str:
        start = f"above {self.least:,}" if self.exclusive else f"of at least {self.least:,}"
        if self.most == math.inf:
            return start
        return f"{start} and at most {self.most:,}" if self.exclusive else f"from {self.least:,} to {self.most:,}"


Count = Annotated[int, Between(1, 1_000_000)]
Positive = Annotated[float, Between(0, exclusive=True)]
NotNegative = Annotated[float, Between(0)]
Share = Annotated[float, Between(0, 1)]


def field_types(cls: type) -> dict[str, Any]:
    """The declared type of each field of a dataclass, ranges included."""
    hints = get_type_hints(cls, include_extras=True)
    return {entry.name: hints[entry.name] for entry in fields(cls)}


def inner_dataclass(hint: Any) -> type | None:
    """The dataclass that a field holds, always or sometimes; None for plain values."""
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and is_dataclass(kind):
            return kind
    return None


def settle(instance: Any) -> None:
    """Check every field of a frozen dataclass against its type, in place: whole numbers become floats, lists become tuples.

    Raises:
        UsageError: a value of the wrong type or out of range; names the field.
    """
    for name, hint in field_types(type(instance)).items():
        object.__setattr__(instance, name, fit(getattr(instance, name), hint, name))


def fit(value: object, hint: Any, where: str) -> Any:
    """The value as its field's type has it.

    Args:
        value: from a recipe file, a command line or Python.
        hint: the declared type.
        where: the field's name, for the message.

    Raises:
        UsageError: says the field, what was given and what is expected.
    """
    try:
        return _fit(value, hint)
    except TypeError:
        raise UsageError(f"{where} must be {describe(hint)}, not {value!r}.") from None


def _fit(value: object, hint: Any) -> Any:
    """As `fit`; a `TypeError` for what does not."""
    arguments = get_args(hint)
    match get_origin(hint):
        case origin if origin is Annotated:
            fitted = _fit(value, arguments[0])
            return fitted if all(mark.holds(fitted) for mark in arguments[1:]) else _refuse()
        case origin if origin in (Union, types.UnionType):
            (given,) = (argument for argument in arguments if argument is not types.NoneType)
            return None if value is None else _fit(value, given)
        case origin if origin is Literal:
            return value if value in arguments else _refuse()
        case origin if origin is tuple:
            return _fit_tuple(value, arguments)
    match hint:
        case type() if hint is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        case type() if isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
            return value
    return _refuse()


def _fit_tuple(value: object, hints: tuple[Any, ...]) -> Any:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return _refuse()
    if hints[-1] is Ellipsis:
        return tuple(_fit(item, hints[0]) for item in value)
    if len(value) != len(hints):
        return _refuse()
    return tuple(_fit(item, hint) for item, hint in zip(value, hints, strict=True))


def _refuse() -> Any:
    raise TypeError


def describe(hint: Any) -> str:
    """A declared type in words: "a number above 0", "one of 'cosine', 'constant'"."""
    arguments = get_args(hint)
    origin = get_origin(hint)
    if origin is Annotated:
        return " ".join((describe(arguments[0]), *map(str, arguments[1:])))
    if origin in (Union, types.UnionType):
        return " or ".join("none" if argument is types.NoneType else describe(argument) for argument in arguments)
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"a list, each {describe(arguments[0])}"
    if origin is tuple:
        return f"{len(arguments)} values, each {describe(arguments[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint) or f"a {hint.__name__}"
