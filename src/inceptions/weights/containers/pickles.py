"""What a pickle would do, found out without doing it: the checkpoints of torch, judged before torch loads them.

torch's own restricted loader calls a few harmless functions with whatever arguments the file gives: an array of a terabyte, or
a tensor larger than the bytes behind it. So the program in the file is run here first, with notes in place of objects.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from mmap import mmap
from typing import IO, Any, cast

import torch

from inceptions.weights.containers.checkpoint import Fault

MOST_STEPS = 1_000_000
CALLS = frozenset(
    {
        "collections.OrderedDict",
        "collections.Counter",
        "torch.Size",
        "torch.device",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "builtins.set",
        "__builtin__.set",
        "_codecs.encode",
    }
)
TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
_DAMAGED = "is a pickle that cannot be read: it is damaged"


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """A function or class of Python, by name."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What a function would return."""

    name: str
    arguments: Any


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """The numbers of tensors, which lie elsewhere in the file: how many, of which type, under which key."""

    key: str
    dtype: torch.dtype
    count: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.count * self.dtype.itemsize


class Refused(Fault):
    """A pickle wants something that is not needed for weights.

    Attributes:
        names: what it wants.
    """

    def __init__(self, names: set[str]) -> None:
        self.names = sorted(names)
        super().__init__("")


@cache
def storages() -> dict[str, torch.dtype]:
    """The names of torch's types of storage."""
    found = {f"torch.{name}": dtype for dtype, name in torch.storage._dtype_to_storage_type_map().items()}
    found |= {"torch.storage.UntypedStorage": torch.uint8}
    return {name: dtype for name, dtype in found.items() if dtype.itemsize and not name.startswith("torch.Q")}


def survey(file: IO[bytes] | mmap) -> tuple[Any, list[Storage]]:
    """What a pickled checkpoint is, in notes (dictionaries stay empty), and the storages that it uses.

    Args:
        file: is left behind the pickle. In memory or mapped: files on disk take as much memory as they are asked for, before
            they see that they have less.

    Raises:
        Refused: the pickle calls what weights do not need.
        Fault: it is damaged, or has tensors that are larger than their storages.
    """
    wanted = set()
    program = []
    try:
        for opcode, argument, _ in pickletools.genops(cast(IO[bytes], file)):
            program.append((opcode.name, argument))
            if opcode.name == "GLOBAL":
                wanted.add(".".join(str(argument).split(" ", 1)))
            elif opcode.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"):
                wanted.add(_named(program))
            if len(program) > MOST_STEPS:
                raise Fault(f"is a pickle of more than {MOST_STEPS:,} steps, which no checkpoint needs")
    except (ValueError, UnicodeError, IndexError, OverflowError, KeyError, EOFError) as error:
        raise Fault(_DAMAGED) from error
    # Names of types of numbers are as harmless as the numbers.
    refused = {name for name in wanted if name not in CALLS and name not in storages() and not _dtype(name)}
    if refused:
        raise Refused(refused)
    machine = _Machine()
    try:
        return machine.run(program), list(machine.storages.values())
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise Fault(_DAMAGED) from error


class _Machine:
    """The machine that pickles are programs of, as far as checkpoints use it; its objects are notes."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self, program: list[tuple[str, Any]]) -> Any:
        steps: dict[str, Callable[[], None]] = {
            "MARK": self._mark,
            "TUPLE": lambda: self._push(tuple(self._marked())),
            "TUPLE1": lambda: self._tuple(1),
            "TUPLE2": lambda: self._tuple(2),
            "TUPLE3": lambda: self._tuple(3),
            "EMPTY_TUPLE": lambda: self._push(()),
            "EMPTY_LIST": lambda: self._push([]),
            "EMPTY_DICT": lambda: self._push({}),
            "EMPTY_SET": lambda: self._push([]),
            "NONE": lambda: self._push(None),
            "NEWTRUE": lambda: self._push(True),
            "NEWFALSE": lambda: self._push(False),
            "APPEND": lambda: self._append([self._pop()]),
            "APPENDS": lambda: self._append(self._marked()),
            "SETITEM": self._setitem,
            "SETITEMS": self._setitems,
            "REDUCE": self._reduce,
            "NEWOBJ": self._reduce,
            "BUILD": self._build,
            "BINPERSID": self._persistent,
            "PROTO": lambda: None,
            "STOP": lambda: None,
        }
        for name, argument in program:
            if name in steps:
                steps[name]()
            elif name in ("BINPUT", "LONG_BINPUT"):
                self._memo[argument] = self._stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self._push(self._memo[argument])
            elif name == "GLOBAL":
                self._push(Global(".".join(argument.split(" ", 1))))
            elif name in _CONSTANTS:
                self._push(argument)
            else:
                raise Fault(f"is a pickle with the instruction {name}, which torch does not write", _OLD)
        return self._pop()

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        return self._stack.pop()

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _marked(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def _append(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise TypeError
        self._stack[-1].extend(items)

    def _setitem(self) -> None:
        self._pop()
        self._pop()

    def _setitems(self) -> None:
        self._marked()

    def _build(self) -> None:
        self._pop()
        target = self._stack[-1]
        # Only what state dicts carry along: their version, as an attribute of the dictionary.
        if not (isinstance(target, Call) and target.name == "collections.OrderedDict"):
            raise Fault("is a pickle that sets the inside of an object, which no checkpoint of plain tensors does", _OLD)

    def _reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise TypeError
        if function.name not in CALLS:
            raise Refused({function.name})
        if function.name in TENSORS:
            _check_tensor(arguments)
        elif function.name != "torch._utils._rebuild_parameter":
            _check_plain(function.name, arguments)
        self._push(Call(function.name, arguments))

    def _persistent(self) -> None:
        identity = self._pop()
        if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
            raise TypeError
        _, kind, key, _, count, *more = identity
        dtype = storages().get(kind.name) if isinstance(kind, Global) else None
        if dtype is None or not isinstance(key, str) or not isinstance(count, int) or count < 0:
            raise TypeError
        storage = Storage(key, dtype, count)
        known = self.storages.setdefault(key, storage)
        if (known.dtype, known.count) != (dtype, count):
            raise Fault(f"gives the same numbers ({key}) two sizes")
        if more and more[0] is not None:  # torch before 0.4: a part of the storage
            _, offset, size = more[0]
            if not (isinstance(offset, int) and isinstance(size, int) and 0 <= offset <= offset + size <= count):
                raise TypeError
            known = Storage(key, dtype, size)
        self._push(known)


def _check_plain(name: str, arguments: tuple[Any, ...]) -> None:
    """Collections must be made of plain ones: a set of a tensor would be a set of millions of tensors."""
    if name == "torch.Size":
        _sizes(*arguments)
    elif name == "_codecs.encode":  # how bytes are written
        if not (len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] == "latin1"):
            raise TypeError
    elif len(arguments) > 2 or not all(isinstance(one, list | tuple | dict | str | int) for one in arguments):
        raise TypeError


def _check_tensor(arguments: tuple[Any, ...]) -> None:
    """A tensor must lie in its storage: torch would enlarge the storage."""
    storage, offset, size, stride, *_ = arguments
    size, stride = _sizes(size), _sizes(stride)
    if not isinstance(storage, Storage) or not isinstance(offset, int) or offset < 0 or len(size) != len(stride):
        raise TypeError
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if any(n == 0 for n in size):
        return
    count = 1
    for n in size:
        count *= n
    if last >= storage.count or count > storage.count:
        raise Fault(f"has a tensor of {list(size)} numbers in a space of {storage.count:,}")


def _sizes(value: Any) -> tuple[int, ...]:
    if isinstance(value, Call) and value.name == "torch.Size":
        (value,) = value.arguments
    if not isinstance(value, tuple | list) or len(value) > 32:
        raise TypeError
    if not all(isinstance(n, int) and 0 <= n < 2**40 for n in value):
        raise TypeError
    return tuple(value)


def _dtype(name: str) -> bool:
    return isinstance(getattr(torch, name.removeprefix("torch."), None), torch.dtype) and name.startswith("torch.")


def _named(program: list[tuple[str, Any]]) -> str:
    """What the last instruction wants: the two texts before it, which is how picklers write it."""
    name, argument = program[-1]
    if name == "INST":
        return ".".join(str(argument).split(" ", 1))
    texts = (value for opcode, value in reversed(program[:-1]) if isinstance(value, str) and "UNICODE" in opcode)
    found = [text for text, _ in zip(texts, range(2), strict=False)]
    return ".".join(reversed(found)) if found else name


_CONSTANTS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"})
_OLD = "Load it with the program that wrote it and save its state_dict() with torch.save."
