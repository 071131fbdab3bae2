"""Folders of images measured as those who make images do: Fréchet distance and Inception Score, and what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inceptions.data.decode import printable
from inceptions.errors import DataError, UsageError
from inceptions.predict.distance import InceptionScore, Moments, frechet_distance
from inceptions.predict.features import SCORES, Extractor, Pass, described, images_in
from inceptions.train.progress import Reporter

REFERENCE = ("inception_v3/fid", "mixed_7c")
"""The network and the map that FID stands for where nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """What was counted of a folder.

    Attributes:
        folder: where the images are.
        images: how many were counted.
        skipped: images that cannot be read, with the reason.
        moments: mean and covariance at each tap.
        score: mean and standard deviation of its Inception Score; None if it was not asked for.
    """

    folder: Path
    images: int
    skipped: tuple[tuple[str, str], ...]
    moments: dict[str, Moments]
    score: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the moments."""
        said: dict[str, Any] = {
            "folder": str(self.folder),
            "images": self.images,
            "skipped": [{"path": path, "error": reason} for path, reason in self.skipped],
        }
        return said if self.score is None else said | {"inception_score": {"mean": self.score[0], "std": self.score[1]}}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resemblance:
    """How far two folders are from each other, or what one scores.

    Attributes:
        folders: one, or two.
        distances: at each tap, with its channels; none for one folder.
        about: the network, its weights and how images were shown.
        shown: the last of these in words.
        warnings: sentences about figures that mean less than they seem to.
    """

    folders: tuple[Gathered, ...]
    distances: dict[str, tuple[int, float]]
    about: dict[str, Any]
    shown: str
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.about,
            "folders": [one.to_dict() for one in self.folders],
            "distances": [
                {"tap": tap, "channels": channels, "frechet_distance": distance}
                for tap, (channels, distance) in self.distances.items()
            ],
            "warnings": list(self.warnings),
        }

    def to_text(self) -> str:
        """For people: the figures, and below them what they depend on."""
        lines = []
        for tap, (channels, distance) in self.distances.items():
            name = "FID" if (self.about["network"], tap) == REFERENCE else "Fréchet distance"
            lines.append(f"{name:<17} {distance:12.6g}   at {tap}, {channels} channels")
        for one in self.folders:
            if one.score is not None:
                mean, deviation = one.score
                lines.append(
                    f"{'Inception Score':<17} {mean:12.6g}   ± {deviation:.4g} over its parts, {printable(str(one.folder))}"
                )
        lines.append("")
        for one in self.folders:
            unread = f", {len(one.skipped)} could not be read" if one.skipped else ""
            lines.append(f"{'images':<17} {one.images:12,}   {printable(str(one.folder))}{unread}")
        lines += [
            f"{'network':<17} {self.about['network']}",
            f"{'weights':<17} {self.about['weights']}",
            f"{'sha256':<17} {self.about['sha256']}",
            f"{'shown':<17} {self.shown}",
            *(f"{'warning':<17} {sentence}" for sentence in self.warnings),
        ]
        return "\n".join(lines)


def resemblance(
    extractor: Extractor,
    folder: Path,
    against: Path | None = None,
    *,
    taps: Sequence[str] = (),
    score: bool = False,
    workers: int | str = "auto",
    reporter: Reporter,
) -> Resemblance:
    """Compare two folders of images, or score one.

    Args:
        extractor: the network; `inception_v3/fid` for figures that others can compare theirs with.
        folder: images, at any depth.
        against: the images to compare with; None for the score alone.
        taps: where to measure the distance, by name or, of Inception-v3, by channels (64, 192, 768, 2048); the last map if
            none are named.
        score: the Inception Score of `folder` too.
        workers: threads that decode.
        reporter: where progress goes.

    Raises:
        UsageError: no such tap, or neither a distance nor a score is asked for.
        DataError: a folder with fewer than two images that can be read.
        WeightsError: a score of weights without a classifier.
    """
    if against is None and not score:
        raise UsageError("Nothing is asked of the folder: name a second one to compare it with, or ask for its score.")
    if against is None and taps:
        raise UsageError("Taps are for a distance: name a second folder to compare with.")
    names = list(dict.fromkeys(extractor.tap(tap) for tap in taps)) or [extractor.tap()]
    listed = [(one, images_in(one)) for one in (folder, against) if one is not None]
    names = names if against is not None else []
    folders = tuple(
        _gather(extractor, one, files, names, score=score and not i, workers=workers, reporter=reporter)
        for i, (one, files) in enumerate(listed)
    )
    distances: dict[str, tuple[int, float]] = {}
    if len(folders) > 1:
        for tap in names:
            one, other = (gathered.moments[tap] for gathered in folders)
            distances[tap] = (len(one.mean), frechet_distance(one, other))
    return Resemblance(
        folders=folders,
        distances=distances,
        about=extractor.about(),
        shown=described(extractor.card.preprocess),
        warnings=tuple(_warnings(folders, distances, extractor)),
    )


def _gather(
    extractor: Extractor,
    folder: Path,
    files: Sequence[Path],
    taps: Sequence[str],
    *,
    score: bool,
    workers: int | str,
    reporter: Reporter,
) -> Gathered:
    """Count the images of one folder."""
    activity = f"features of {printable(folder.name)}"
    passing = Pass(extractor, files, taps, scores=score, workers=workers, reporter=reporter, activity=activity)
    classes = extractor.model.architecture.options.classes
    judge = InceptionScore(len(files), classes) if score else None
    moments: dict[str, Moments] = {}
    for chunk in passing:
        for tap in taps:
            rows = chunk.values[tap].numpy()
            moments.setdefault(tap, Moments(rows.shape[1])).add(rows)
        if judge is not None:
            judge.add(chunk.images, chunk.values[SCORES].numpy())
    skipped = tuple((str(files[i]), reason) for i, reason in passing.skipped)
    counted = len(files) - len(skipped)
    if counted < 2:
        raise DataError(f"{folder} has {counted} images that can be read: two are the least that statistics need.")
    return Gathered(
        folder=folder, images=counted, skipped=skipped, moments=moments, score=None if judge is None else judge.result()
    )


def _warnings(folders: Sequence[Gathered], distances: dict[str, tuple[int, float]], extractor: Extractor) -> list[str]:
    """What a reader of the figures should know."""
    found = []
    few = min(one.images for one in folders)
    if short := [f"{tap} ({channels})" for tap, (channels, _) in distances.items() if few <= channels]:
        found.append(
            f"{few} images are no more than the channels of {', '.join(short)}: the covariance is singular, and the "
            "distance depends on the number of images. Compare it only with one of as many."
        )
    scored = [one.images for one in folders if one.score is not None]
    if scored and scored[0] < 5000:
        found.append(f"An Inception Score of {scored[0]} images is too low: published ones are of 50,000.")
    network = extractor.model.architecture.full_name
    if network != REFERENCE[0]:
        found.append(f"{network} is not the network of published figures, which is {REFERENCE[0]}.")
    return found
