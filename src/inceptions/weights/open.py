"""Weights from a file, whoever wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from inceptions.errors import UsageError
from inceptions.weights.opened import Opened
from inceptions.weights.store import BEST_WEIGHTS, CARD_KEY, locate, read_weights


def open_any(path: str | Path, **options: Any) -> Opened:
    """Weights from a file of ours, a run's folder (its best weights), or a file of another family.

    Args:
        path: the file. Of a TensorFlow checkpoint its prefix, its index or its folder.
        options: of `foreign.open_foreign`, for what a foreign file does not say: `group`, `variant`, `preprocess`, `classes`,
            `background`, `partial`, `known`. A file of ours says all of it.

    Raises:
        WeightsError: nothing is there, it cannot be read, or is no Inception.
        UsageError: a foreign file does not say what must be known; says what to add.
        MachineError: a package is missing that reads it.
    """
    path = Path(path)
    if not is_ours(path):
        from inceptions.weights.foreign import open_foreign  # readers of every format, which a file of ours does without

        return open_foreign(path, **options)
    said = [name for name in ("group", "variant", "preprocess", "classes") if options.get(name) is not None]
    if said:
        raise UsageError(f"{path} is a file of ours and says its own {' and '.join(said)}: leave out --{' and --'.join(said)}.")
    return Opened(*read_weights(path))


def is_ours(path: Path) -> bool:
    """Whether a path is a run's folder or a file with our card.

    Raises:
        WeightsError: nothing is there, or a folder without weights.
    """
    checkpoint = path.is_dir() and ((path / "checkpoint").is_file() or any(path.glob("*.index")))
    if checkpoint or (not path.exists() and path.with_name(f"{path.name}.index").is_file()):
        return (path / BEST_WEIGHTS).is_file()
    try:
        with safe_open(locate(path), framework="pt") as file:
            return CARD_KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False
