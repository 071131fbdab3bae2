"""Features to a file: numpy's .npz, or a Parquet table. However many images there are, few are in memory."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from inceptions.data.decode import printable
from inceptions.errors import DataError, MachineError, UsageError
from inceptions.files import replacing
from inceptions.predict.features import Extractor, Pass, images_in, labels_of
from inceptions.train.progress import Reporter

KINDS = (".npz", ".parquet")
BLOCK = 2**22
# Rows of a Parquet file that are written together, in bytes.
GROUP = 2**25


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a file of features holds.

    Attributes:
        output: the file.
        images: rows in it.
        tap: which map.
        shape: of an image's features.
        classes: names of the classes; None if the folder has none.
        skipped: images that cannot be read, with the reason.
        about: what the features depend on.
    """

    output: Path
    images: int
    tap: str
    shape: tuple[int, ...]
    classes: tuple[str, ...] | None
    skipped: tuple[tuple[str, str], ...]
    about: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "output": str(self.output),
            "images": self.images,
            "tap": self.tap,
            "shape": list(self.shape),
            "classes": None if self.classes is None else list(self.classes),
            "skipped": [{"path": path, "error": reason} for path, reason in self.skipped],
            **self.about,
        }

    def to_text(self) -> str:
        """For people."""
        shape = " × ".join(map(str, self.shape))
        classes = "" if self.classes is None else f", {len(self.classes)} classes"
        lines = [f"{'written':<9} {self.output}: {self.images:,} images × {shape} at {self.tap}{classes}"]
        lines += [f"{'not read':<9} {printable(path)}: {reason}" for path, reason in self.skipped]
        return "\n".join(lines)


def write_features(
    extractor: Extractor,
    folder: Path,
    output: Path,
    *,
    tap: str | None = None,
    maps: bool = False,
    workers: int | str = "auto",
    reporter: Reporter,
) -> Written:
    """Write the features of all images in a folder.

    A .npz holds `features` (float32, `[images, channels]`, or of whole maps `[images, channels, rows, columns]`), `names`,
    `about` (JSON: weights, their checksum, network, tap, preprocessing) and, if the images lie in class folders, `labels` and
    `classes`. A Parquet table has the columns `name`, `class` and `features` (one map in a row of numbers), and the rest in
    its schema's metadata.

    Args:
        extractor: the network.
        folder: the images, at any depth.
        output: a file that ends in .npz or .parquet.
        tap: which map; the last one if None.
        maps: whole maps, not each channel's mean.
        workers: threads that decode.
        reporter: where progress goes.

    Raises:
        UsageError: no such tap, or another kind of file.
        DataError: no image can be read.
        MachineError: the file cannot be written, or pyarrow is missing.
    """
    kind = output.suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"{output} must end in {' or '.join(KINDS)}.")
    write = _npz if kind == ".npz" else _parquet()
    name = extractor.tap(tap)
    files = images_in(folder)
    labels = labels_of(folder, files)
    about = {**extractor.about(), "tap": name, "pooled": not maps}
    passing = Pass(extractor, files, [name], pool=not maps, workers=workers, reporter=reporter)
    chunks = ((chunk.images, chunk.values[name].numpy()) for chunk in passing)
    names = [printable(file.relative_to(folder).as_posix()) for file in files]
    with replacing(output) as temporary:
        images, shape = write(temporary, chunks, names, labels, about)
        if not images:
            raise DataError(f"None of the {len(files)} images in {folder} could be read.")
    skipped = tuple((str(files[i]), reason) for i, reason in passing.skipped)
    classes = labels[1] if labels else None
    return Written(output=output, images=images, tap=name, shape=shape, classes=classes, skipped=skipped, about=about)


Rows = Iterator[tuple[tuple[int, ...], NDArray[np.float32]]]
Labels = tuple[tuple[int, ...], tuple[str, ...]] | None


def _npz(path: Path, chunks: Rows, names: Sequence[str], labels: Labels, about: dict[str, Any]) -> tuple[int, tuple[int, ...]]:
    """An array's file begins with its length, which is only known at the end: the rows wait in a file without a name."""
    order: list[int] = []
    shape: tuple[int, ...] = ()
    with tempfile.TemporaryFile(dir=path.parent) as waiting:
        for images, rows in chunks:
            order += images
            shape = rows.shape[1:]
            waiting.write(np.ascontiguousarray(rows).data)
        waiting.seek(0)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            with _member(archive, "features") as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": (len(order), *shape)}
                np.lib.format.write_array_header_1_0(file, header)
                while block := waiting.read(BLOCK):
                    file.write(block)
            small: dict[str, NDArray[Any]] = {
                "names": np.array([names[i] for i in order]),
                "about": np.array(json.dumps(about)),
            }
            if labels is not None:
                small |= {"labels": np.array([labels[0][i] for i in order]), "classes": np.array(labels[1])}
            for name, values in small.items():
                with _member(archive, name) as file:
                    np.lib.format.write_array(file, values, allow_pickle=False)
    return len(order), shape


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _parquet() -> Any:
    """The writer of Parquet tables.

    Raises:
        MachineError: pyarrow is missing.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MachineError(
            "Parquet files need pyarrow: pip install 'inceptions[data]'. A .npz file needs nothing more."
        ) from error

    def write(
        path: Path, chunks: Rows, names: Sequence[str], labels: Labels, about: dict[str, Any]
    ) -> tuple[int, tuple[int, ...]]:
        count, shape, writer = 0, (), None
        waiting: list[Any] = []
        try:
            for images, rows in chunks:
                count, shape = count + len(images), rows.shape[1:]
                values = pyarrow.FixedSizeListArray.from_arrays(
                    pyarrow.array(np.ascontiguousarray(rows).reshape(-1)), int(np.prod(shape))
                )
                classes = [None if labels is None else labels[1][labels[0][i]] for i in images]
                schema = pyarrow.schema(
                    {"name": pyarrow.string(), "class": pyarrow.string(), "features": values.type},
                    metadata={"inceptions": json.dumps({**about, "shape": list(shape)})},
                )
                columns = [pyarrow.array([names[i] for i in images]), pyarrow.array(classes, pyarrow.string()), values]
                waiting.append(pyarrow.Table.from_arrays(columns, schema=schema))
                writer = writer or parquet.ParquetWriter(path, schema)
                if sum(table.nbytes for table in waiting) >= GROUP:
                    writer.write_table(pyarrow.concat_tables(waiting))
                    waiting.clear()
            if writer is not None and waiting:
                writer.write_table(pyarrow.concat_tables(waiting))
        finally:
            if writer is not None:
                writer.close()
        return count, shape

    return write
