"""What `torch.save` wrote, without running what is in it.

A pickle is a program. First `pickles` finds out what it would do, then torch's restricted loader (`weights_only=True`) does it.
"""

from __future__ import annotations

import io
import os
import pickle
import shlex
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from inceptions.files import replacing
from inceptions.weights.containers import zips
from inceptions.weights.containers.checkpoint import Fault, first_line
from inceptions.weights.containers.pickles import Refused, Storage, survey

LARGEST_PICKLE = 64 * 2**20
MOST_DEPTH = 16
MOST_METADATA = 1000
LONGEST_TEXT = 10_000
# torch before 1.6: a number to know it by, a version, and facts of the machine, each pickled, then the pickle itself.
MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
LEGACY = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little")


def read(path: Path, *, zipped: bool) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """All groups of tensors by dotted path, and the plain values beside them by dotted path.

    What hangs under numbers is left out: that is how optimisers keep their state.

    Args:
        path: the file.
        zipped: whether it is a zip archive (torch 1.6 and later).

    Raises:
        Fault: it wants to run something, is damaged, or holds no named tensors.
    """
    try:
        if zipped:
            _check_zip(path)
        else:
            _check_legacy(path)
    except Refused as refused:
        _refuse(path, refused.names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(os.fspath(path), map_location="cpu", weights_only=True, mmap=zipped)
    except (
        RuntimeError,
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
    ) as error:
        raise Fault(f"cannot be read by torch ({first_line(error)})") from error
    groups: dict[str, dict[str, Tensor]] = {}
    metadata: dict[str, Any] = {}
    if isinstance(content, Tensor):
        raise Fault("holds one tensor without a name, no network", "Save a state_dict().")
    for path_, found in _dictionaries(content, "", 0, set()):
        tensors = {str(name): value.detach() for name, value in found.items() if isinstance(value, Tensor)}
        if tensors:
            groups[path_] = tensors
        for name, value in found.items():
            if len(metadata) < MOST_METADATA and _is_plain(value):
                metadata[f"{path_}.{name}".lstrip(".")] = list(value) if isinstance(value, tuple) else value
    return groups, metadata


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a state dict, as `torch.save` does."""
    # Copies, since a view would take its whole storage along.
    state = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        torch.save(state, temporary)


def _check_zip(path: Path) -> None:
    with zips.opened(path) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if any(name.endswith("/constants.pkl") for name in names):
            _refuse_script(path)
        if len(pickles) != 1:
            raise Fault("is a zip archive, but none of torch", "Unpack it and give the weight file inside.")
        compressed = [member.filename for member in archive.infolist() if member.compress_type != zipfile.ZIP_STORED]
        if compressed:
            raise Fault(f"is a zip archive whose member {compressed[0]} is compressed; torch never does that")
        folder = pickles[0].removesuffix("data.pkl")
        _, storages = survey(io.BytesIO(zips.content(archive, pickles[0], LARGEST_PICKLE)))
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        for storage in storages:
            record = f"{folder}data/{storage.key}"
            if sizes.get(record) != storage.nbytes:
                raise Fault(f"says that {record} has {storage.nbytes:,} bytes, and holds {sizes.get(record, 0):,}")
        zips.verify(archive)


def _check_legacy(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as file:
        if file[: len(LEGACY)] != LEGACY:
            _refuse_other(file)
        survey(file)
        if survey(file)[0] != VERSION:
            raise Fault("is a pickle that cannot be read: it is damaged")
        survey(file)
        _, storages = survey(file)
        _in_room(storages, size - file.tell())
        keys, _ = survey(file)
        known = {storage.key: storage for storage in storages}
        if not isinstance(keys, list) or any(not isinstance(key, str) or key not in known for key in keys):
            raise Fault("is a pickle that cannot be read: it is damaged")
        if len(set(keys)) != len(known) or len(keys) != len(known):
            raise Fault("does not hold the numbers of all its tensors: it is cut off or damaged")
        _in_room(storages, size - file.tell())
        place = file.tell()
        for key in keys:
            count = int.from_bytes(file[place : place + 8], "little", signed=True)
            place += 8 + known[key].nbytes
            if count != known[key].count or place > size:
                raise Fault(f"is cut off or damaged: the numbers of tensor {key} are not all there")


def _refuse_other(file: mmap) -> NoReturn:
    """A pickle, but not of torch: says what it wants to run, if that is the matter with it."""
    try:
        survey(file)
    except Refused:
        raise
    except Fault:
        pass
    raise Fault("is a pickle that torch.save did not write", "Save what is in it with torch.save or safetensors.")


def _in_room(storages: list[Storage], room: int) -> None:
    total = sum(storage.nbytes for storage in storages)
    if total > room:
        raise Fault(f"says that it holds {total:,} bytes of tensors, and has {room:,}")


def _dictionaries(value: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """A dictionary and those in it, each once; none that hangs under a number."""
    if not isinstance(value, dict) or id(value) in seen or depth > MOST_DEPTH:
        return
    seen.add(id(value))
    named = {name: one for name, one in value.items() if isinstance(name, str)}
    yield path, named
    for name, one in named.items():
        yield from _dictionaries(one, f"{path}.{name}".lstrip("."), depth + 1, seen)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= MOST_METADATA and all(_is_plain(one) and not isinstance(one, list | tuple) for one in value)
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


def _refuse(path: Path, names: list[str]) -> NoReturn:
    some = ", ".join(name[:100] for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise Fault(
        f"is a pickle that wants to run {some}, and a pickle can run anything; nothing of it was run",
        "If you trust its author, turn it into plain tensors where it can do no harm (a container without network): "
        + _by_hand("torch.load(F, map_location='cpu', weights_only=False)", path),
    )


def _refuse_script(path: Path) -> NoReturn:
    raise Fault(
        "is a TorchScript program, not weights",
        "If you trust its author, turn it into plain tensors where it can do no harm (a container without network): "
        + _by_hand("torch.jit.load(F, map_location='cpu')", path),
    )


def _by_hand(load: str, path: Path) -> str:
    """A command that writes the tensors of a pickle as safetensors."""
    program = (
        f"import torch, safetensors.torch as s; F = {str(path)!r}; o = {load}; "
        "d = o.state_dict() if hasattr(o, 'state_dict') else o.get('state_dict', o); "
        "s.save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, F + '.safetensors')"
    )
    return f"python -c {shlex.quote(program)}"
