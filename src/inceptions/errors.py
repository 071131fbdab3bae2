"""What a user can get wrong, said as one sentence: what happened, where, and what to do next.

Every exception here is raised for somebody outside the package. The command prints the message without a
traceback and leaves with the class's exit code; from Python they are `ValueError`s. A broken promise inside the
package is an `assert`, never one of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class InceptionsError(ValueError):
    """Base of everything the package raises for its user."""

    exit_code: ClassVar[int] = 1


class UsageError(InceptionsError):
    """A name, option or number that means nothing here."""

    exit_code = 2


class DataError(InceptionsError):
    """A folder or an image that cannot be used."""

    exit_code = 3


class WeightsError(InceptionsError):
    """A weight file that cannot be read, or belongs to another network."""

    exit_code = 4


class MachineError(InceptionsError):
    """The machine refused: disk full, no permission, no memory, a missing optional package."""

    exit_code = 5


class DivergedError(InceptionsError):
    """Training left the numbers: a loss that is not finite."""

    exit_code = 6


class Interrupted(InceptionsError):
    """The run was asked to stop, saved itself and can be resumed."""

    exit_code = 75


def unknown(kind: str, given: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not in a list: says which names are, and which one was probably meant."""
    known = list(known)
    close = get_close_matches(given.lower(), known, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UsageError(f"Unknown {kind} {given!r}.{hint} Known: {', '.join(known)}.")
