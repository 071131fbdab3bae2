"""Whether a file of torch.export's holds what `inceptions export` writes, and nothing that torch's reader would run.

That reader unpickles whatever an archive calls pickled, loads compiled libraries, and evaluates a program's sizes as Python. So
what comes from strangers is looked through before it is given to it.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

MODEL, EXAMPLES = "models/model.json", "data/sample_inputs/model.pt"
PAYLOADS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
NAME = re.compile(
    "|".join(
        (
            *map(re.escape, (MODEL, EXAMPLES, *PAYLOADS)),
            r"data/weights/weight_\d+",
            r"data/constants/tensor_\d+",
            r"extra/\w+",
            r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)",
        )
    )
)
PAYLOAD = re.compile(r"(weight|tensor)_\d+")
OPERATOR = re.compile(r"torch\.ops\.aten\.\w+\.\w+")
SIZE = re.compile(r"\w+|Symbol\('\w+'(, (positive|integer)=True)*\)")
"""A number or a name: a batch is the only size that is not known."""

CONTAINERS = (None, "builtins.tuple", "builtins.list", "builtins.dict")


def check(path: Path) -> None:
    """Look through an archive without running anything in it.

    Raises:
        ValueError: it holds something else than an exported network of ours.
        Exception: it is damaged; whatever torch's reader of archives and that of JSON stumble over.
    """
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
    # The reader that will load it, so that both see the same files.
    reader = torch._C.PyTorchFileReader(str(path))
    if sorted(names) != sorted(reader.get_all_records()) or len({name.lower() for name in names}) < len(names):
        raise ValueError("its list of contents is ambiguous")
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"it holds {name!r:.60}")
    for name in PAYLOADS:
        for payload in json.loads(reader.get_record(name))["config"].values():
            if payload["use_pickle"] is not False or not PAYLOAD.fullmatch(payload["path_name"]):
                raise ValueError("it holds a pickle")
    torch.load(io.BytesIO(reader.get_record(EXAMPLES)), weights_only=True)
    for key, value in _entries(json.loads(reader.get_record(MODEL))):
        match key:
            case "target":
                sound = OPERATOR.fullmatch(value) is not None
            case "expr_str":
                sound = SIZE.fullmatch(value) is not None
            case "guards_code":
                sound = not value
            case "in_spec" | "out_spec":
                sound = all(kind in CONTAINERS for name, kind in _entries(json.loads(value)) if name == "type")
            case _:
                sound = True
        if not sound:
            raise ValueError(f"its program has {key} {value!r:.60}")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of nested JSON with its value."""
    if isinstance(value, dict):
        yield from value.items()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _entries(inner)
