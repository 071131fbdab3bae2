"""Data sets of the Hugging Face Hub and their files: Arrow tables, in which every row can be read at once.

`datasets` (an extra) finds, fetches and converts them, parquet to Arrow in its own cache; the pictures stay on the disk, as the
bytes they were encoded in, and the one decoder of this package reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inceptions.data.decode import AtLeast, printable
from inceptions.data.dividing import Found
from inceptions.data.folder import TRAIN, VALIDATION, files_by_part
from inceptions.data.images import decoded, decoded_pixels
from inceptions.data.labels import Label, numbered
from inceptions.errors import DataError, MachineError

if TYPE_CHECKING:
    from datasets import Dataset

HUB = "hf-dataset:"
SAVED = ("dataset_dict.json", "state.json")
"""What `save_to_disk` leaves in a folder."""

PARQUET = ".parquet"
ROWS = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Images in rows of an Arrow table.

    Attributes:
        rows: the whole table; its pictures as {"bytes": …, "path": …}.
        column: the one with the pictures.
        chosen: row of each image.
        length: bytes of each image, `[images]`; -1 where it is in a file of its own.
        labels: index of each image's class.
        names: "train/000123": the part and the row.
        notes: sentences for the user.
    """

    rows: Dataset
    column: str
    chosen: tuple[int, ...]
    length: NDArray[np.int64]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The names."""
        return self.names

    def __len__(self) -> int:
        return len(self.chosen)

    def size(self, i: int) -> int:
        """Bytes of image `i`."""
        known = int(self.length[i])
        return len(self.read(i)) if known < 0 else known

    def read(self, i: int, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of image `i`."""
        cell = self.rows[self.chosen[i]][self.column] or {}
        content = cell.get("bytes")
        if content is None and cell.get("path"):
            content = Path(cell["path"]).read_bytes()
        return bytes(content or b"")[start : None if length is None else start + length]

    def open(self, i: int, at_least: int | None = None) -> Image.Image:
        """The decoded image `i`.

        Raises:
            ImageError: it cannot be decoded, or its file is not there any more.
        """
        return decoded(self, i, at_least)

    def pixels(self, i: int, at_least: AtLeast | None = None) -> NDArray[np.uint8]:
        """The pixels of image `i`.

        Raises:
            ImageError: as `open`.
        """
        return decoded_pixels(self, i, at_least)

    def subset(self, chosen: Sequence[int]) -> Self:
        """Some of the images, in the order given."""
        return type(self)(
            rows=self.rows,
            column=self.column,
            chosen=tuple(self.chosen[i] for i in chosen),
            length=self.length[np.array(chosen, dtype=np.int64)],
            labels=tuple(self.labels[i] for i in chosen),
            names=tuple(self.names[i] for i in chosen),
            notes=self.notes,
        )


def are_tables(where: str | Path) -> bool:
    """Whether a name means tables: "hf-dataset:…", a parquet file, or a folder of them or of `save_to_disk`."""
    if str(where).startswith(HUB) or str(where).endswith(PARQUET):
        return True
    folder = Path(where)
    return folder.is_dir() and (any((folder / name).is_file() for name in SAVED) or bool(_parquets(folder)))


def open_tables(where: str | Path) -> Found:
    """The labelled images of a data set.

    Args:
        where: "hf-dataset:owner/name", with ":configuration" behind it where the data set has several; a folder made by
            `datasets`' `save_to_disk`; a parquet file, or a folder of them (train-….parquet beside validation-….parquet).

    Raises:
        DataError: there is no such data set, it is damaged, or its columns cannot be told apart.
        MachineError: the package is missing, or the Hub cannot be reached.
    """
    text = str(where)
    sets = _loaded(text)
    by_name = {name.lower(): name for name in sets}
    parts: dict[str, str] = {}
    for part, known in (("train", TRAIN), ("validation", VALIDATION)):
        if name := next((name for name in known if name in by_name), None):
            parts[part] = by_name[name]
    if "train" not in parts:
        raise DataError(f"{text} has no training images; its parts are {', '.join(sets) or 'none'}.")
    rows = {part: sets[name] for part, name in parts.items()}
    picture, label = _columns(rows["train"], text)
    spoken = {part: _labels(each, label, text) for part, each in rows.items()}
    classes, labels = numbered(spoken, getattr(rows["train"].features[label], "names", None), where=text)
    found = {part: _table(each, picture, labels[part], parts[part]) for part, each in rows.items()}
    on_hub = text.startswith(HUB)
    return Found(
        name=printable(text.removeprefix(HUB) if on_hub else Path(where).resolve().name.removesuffix(PARQUET)),
        classes=classes,
        train=found["train"],
        validation=found.get("validation"),
        address=text if on_hub else str(Path(where).resolve()),
    )


def _loaded(where: str) -> Mapping[str, Dataset]:
    """The parts of a data set by their names."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MachineError(
            f"{where} needs the package datasets: pip install 'inceptions[data]'. Folders and shards need nothing more."
        ) from error
    with _silent_bars():
        try:
            if where.startswith(HUB):
                name, _, configuration = where.removeprefix(HUB).partition(":")
                loaded = datasets.load_dataset(name, configuration or None)
            elif any((Path(where) / name).is_file() for name in SAVED):
                loaded = datasets.load_from_disk(where)
            else:
                files = [Path(where)] if where.endswith(PARQUET) else _parquets(Path(where))
                listed = {part: list(map(str, each)) for part, each in files_by_part(files).items()}
                loaded = datasets.load_dataset("parquet", data_files=listed)
        except DataError:
            raise
        except ConnectionError as error:
            raise MachineError(f"The Hugging Face Hub cannot be reached for {where}: {_first_line(error)}") from error
        except OSError as error:
            if not where.startswith(HUB) or isinstance(error, FileNotFoundError):
                raise DataError(f"{where} cannot be opened as a data set: {_first_line(error)}") from error
            raise MachineError(f"{where} cannot be fetched: {_first_line(error)}") from error
        except Exception as error:
            # `datasets` and Arrow raise whatever they stumble over: ValueError, ArrowInvalid, DatasetGenerationError, ...
            raise DataError(f"{where} cannot be opened as a data set: {_first_line(error)}") from error
    return loaded if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


def _columns(rows: Dataset, where: str) -> tuple[str, str]:
    """The columns with the pictures and with the classes."""
    import datasets

    features = rows.features
    pictures = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    pictures = pictures or [name for name, kind in features.items() if _holds_bytes(kind)]
    labels = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    named = [name for name in ("label", "labels", "class") if name in features]
    label = labels if len(labels) == 1 else named[:1]
    if len(pictures) != 1 or not label:
        what = "one column of images" if len(pictures) != 1 else "a column label"
        raise DataError(
            f"{where} needs {what}; its columns are {', '.join(features)}. Rename or remove some with `datasets`, save that "
            "with save_to_disk, and give the folder."
        )
    return pictures[0], label[0]


def _holds_bytes(kind: object) -> bool:
    """Whether a column has encoded files: bytes, or a structure with bytes as an image column is stored."""
    inner = kind.get("bytes") if isinstance(kind, Mapping) else kind
    return getattr(inner, "dtype", None) in ("binary", "large_binary")


def _labels(rows: Dataset, column: str, where: str) -> list[Label]:
    values = rows.select_columns([column])[:][column]
    if strange := [value for value in values if isinstance(value, bool) or not isinstance(value, int | str)]:
        raise DataError(f"The column {column} of {where} must hold numbers or names of classes, not {strange[0]!r}.")
    return list(values)


def _table(rows: Dataset, column: str, labels: Sequence[int], part: str) -> Table:
    import datasets

    encoded = rows.select_columns([column]).cast_column(column, datasets.Image(decode=False))
    names = tuple(f"{part}/{i:06d}" for i in range(len(rows)))
    lengths = np.concatenate([np.empty(0, dtype=np.int64), *_lengths(encoded, column)])
    return Table(rows=encoded, column=column, chosen=tuple(range(len(rows))), length=lengths, labels=tuple(labels), names=names)


def _lengths(rows: Dataset, column: str) -> Iterator[NDArray[np.int64]]:
    """Bytes of each picture, without reading any."""
    import pyarrow.compute

    for block in rows.with_format("arrow").iter(batch_size=ROWS):
        content = pyarrow.compute.struct_field(block[column], "bytes")
        lengths = pyarrow.compute.fill_null(pyarrow.compute.binary_length(content), -1)
        yield np.asarray(lengths.to_pylist(), dtype=np.int64)


def _parquets(folder: Path) -> list[Path]:
    """Parquet files in a folder or, as the Hub lays them out, in its folder data/."""
    for place in (folder, folder / "data"):
        if place.is_dir() and (files := sorted(file for file in place.iterdir() if file.suffix == PARQUET)):
            return files
    return []


@contextmanager
def _silent_bars() -> Iterator[None]:
    """Without the bars of `datasets`, which know nothing of --quiet."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    line = text.splitlines()[0].rstrip(".")
    return f"{line}."
