"""Between the command and the terminal: answers as JSON, errors as one sentence, the right exit code."""

from __future__ import annotations

import contextlib
import json as json_format
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from types import FrameType
from typing import Any, Literal

from cyclopts import App, Token
from cyclopts.exceptions import CycloptsError, UnusedCliTokensError

from inceptions.errors import InceptionsError, Interrupted, MachineError, UsageError

# What a shell reports of a command that was ended by SIGINT or SIGPIPE.
CTRL_C, BROKEN_PIPE = 130, 141
STOPPING = (signal.SIGINT, signal.SIGTERM)


def whole(_kind: Any, tokens: Sequence[Token]) -> int:
    """A whole number as it is written; 1.5 is a mistake, not 2.

    Raises:
        UsageError: it is none; cyclopts says of which option.
    """
    (token,) = tokens
    try:
        return int(token.value)
    except ValueError:
        raise UsageError(f"it must be a whole number, not {token.value!r}.") from None


def whole_or_auto(kind: Any, tokens: Sequence[Token]) -> int | Literal["auto"]:
    """The same, or the word auto."""
    return "auto" if tokens[0].value == "auto" else whole(kind, tokens)


def one_form(json: bool, csv: bool) -> None:
    """Refuse two forms of one answer."""
    if json and csv:
        raise UsageError("--json and --csv exclude each other: name one.")


def show(document: Any) -> None:
    """Print one JSON document; ASCII only, so that it survives any terminal's encoding."""
    print(json_format.dumps(document, indent=2, allow_nan=False))


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, from its first line on: with a sentence, and as something that may be repeated.

    Raises:
        Interrupted: one of the two came, and nobody inside took it for a request.
    """
    came: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(signal.Signals(number).name)
        # No kind of `Exception`: libraries swallow those while they are imported.
        raise KeyboardInterrupt

    # Shells start background jobs with SIGINT ignored, and outside the main thread Python allows no handlers.
    here = threading.current_thread() is threading.main_thread()
    numbers = [number for number in STOPPING if here and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"Stopped by {came[0] if came else 'Ctrl-C'}. Nothing that was saved is lost: run the command again, with --resume "
            "if it had begun to train."
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_app(app: App, arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; what goes wrong is one sentence on standard error."""
    try:
        # File names need not be text, nor the terminal's encoding know every class name: show what cannot be shown as escapes.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        app(arguments, exit_on_error=False, print_error=False, verbose=False, result_action="return_value")
        print(end="", flush=True)  # what cannot be written shall be said here, not when Python ends
        return 0
    except CycloptsError as error:
        command = " ".join(("inceptions", *(error.command_chain or ())))
        return fail(f"{sentence(error)} See `{command} --help`.", UsageError.exit_code)
    except InceptionsError as error:
        return fail(str(error), error.exit_code)
    except BrokenPipeError:
        # When Python flushes at its end, what is left must find a place to go to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return fail("Whoever read the output is gone; the rest of it was not written.", BROKEN_PIPE)
    except KeyboardInterrupt:
        return fail("Stopped.", CTRL_C)
    except MemoryError:
        return fail("There is not enough memory.", MachineError.exit_code)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return fail(f"The system refused: {error.strerror or error}{where}.", MachineError.exit_code)


def sentence(error: CycloptsError) -> str:
    """What cyclopts found, in one line."""
    if isinstance(error, UnusedCliTokensError):
        return f"Nothing is known to do with: {' '.join(error.unused_tokens or ())}."
    return " ".join(str(error).split())


def fail(message: str, code: int) -> int:
    """Say what went wrong and pass the exit code on."""
    with contextlib.suppress(OSError):
        print(f"inceptions: {message}", file=sys.stderr, flush=True)
    return code
