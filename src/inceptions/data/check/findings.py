"""What a check has to say: each kind of fault in a sentence, with what to do about it.

A problem would stop training or harm what comes of it: a layout that is refused, files that cannot be read, a picture in two
classes, validation pictures that are learnt from. Everything else is a remark: training copes with it, or it may be meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from inceptions.data.check.layout import Layout
from inceptions.data.check.look import Seen, Unreadable
from inceptions.data.folder import EXTENSIONS
from inceptions.data.images import Splits

EXAMPLES = 5
UNEQUAL = 3.0
"""Images of the largest class for one of the smallest, from which classes are called unequal."""

PLAIN_MODES = ("RGB", "L")
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".mpo", ".jpg", ".jpeg"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "BMP": (".bmp", ".dib"),
    "DIB": (".dib", ".bmp"),
    "TIFF": (".tif", ".tiff"),
    "JPEG2000": (".jp2", ".j2k", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "ICO": (".ico",),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about a source.

    Attributes:
        kind: a word for programs, "leaked".
        problem: whether it would stop training or harm what comes of it.
        count: how often it occurs.
        what: a sentence.
        advice: what to do about it; "" if nothing.
        examples: a few of them, all if there are few.
    """

    kind: str
    problem: bool
    count: int
    what: str
    advice: str = ""
    examples: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "examples": list(self.examples)}


def found(kind: str, examples: Sequence[str], one: str, many: str, advice: str, *, problem: bool = False) -> Iterator[Finding]:
    """The finding, if there are examples: "1 `one`." or "2 `many`."."""
    if examples:
        count = len(examples)
        what = f"{count:,} {one if count == 1 else many}."
        yield Finding(kind, problem, count, what, advice, tuple(examples[:EXAMPLES]))


def of_layout(layout: Layout) -> Iterator[Finding]:
    """What lies in a folder beside images in classes."""
    passed = "Passed over, in training too."
    yield from found(
        "empty_classes", layout.empty, "class folder holds no images", "class folders hold no images",
        "Put images in, or remove the folders: training refuses them.", problem=True,
    )  # fmt: skip
    yield from found(
        "twin_classes", [f"{one!r} and {other!r}" for one, other in layout.twins],
        "class has a twin whose name differs only in how it is written",
        "classes have twins whose names differ only in how they are written",
        "Join them, or rename one: training refuses them.", problem=True,
    )  # fmt: skip
    yield from found(
        "unreadable_folders", layout.unreadable, "folder may not be read", "folders may not be read",
        "Give yourself the right to read them.", problem=True,
    )  # fmt: skip
    yield from found(
        "one_sided_classes", layout.one_sided, "class is in one part only", "classes are in one part only",
        "Training refuses a class that only validation has; one that only training has is never tested.",
    )  # fmt: skip
    yield from found(
        "links_in_circles", layout.loops, "link leads to a folder that was read already",
        "links lead to folders that were read already", "No folder is read twice.",
    )  # fmt: skip
    yield from found("broken_links", layout.broken, "link leads nowhere", "links lead nowhere", passed)
    yield from found("hidden", layout.hidden, "hidden file or folder", "hidden files and folders", passed)
    yield from found("rubbish", layout.rubbish, "file or folder of a system", "files and folders of systems", passed)
    kinds = Counter(PurePosixPath(name).suffix.lower() or "no extension" for name in layout.others)
    shown = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(3))
    yield from found(
        "other_files", layout.others, f"file is no image: {shown}", f"files are no images: {shown}",
        "Not used. Photographs as .heic are to be exported as JPEG.",
    )  # fmt: skip


def of_images(
    seen: Sequence[Seen], unreadable: Sequence[Unreadable], splits: Splits, shown_size: int | None
) -> Iterator[Finding]:
    """What the images are like, each for itself, and how many each class has."""
    yield from found(
        "unreadable", [f"{one.name}: {one.reason}" for one in unreadable], "image cannot be read", "images cannot be read",
        "Replace them, or leave them out (--write-ignore). Training skips up to a tenth of all images.", problem=True,
    )  # fmt: skip
    wrong = [f"{one.name} is {one.facts.format}" for one in seen if not _fits(one)]
    yield from found(
        "wrong_extension", wrong, "image of another format than its name says", "images of other formats than their names say",
        "They are read by their content; other programs may stumble.",
    )  # fmt: skip
    turned = [one.name for one in seen if one.facts.turned]
    yield from found(
        "turned", turned, "image turned or mirrored by EXIF", "images turned or mirrored by EXIF", "They are shown upright."
    )
    several = [f"{one.name} ({one.facts.frames})" for one in seen if one.facts.frames > 1]
    yield from found("frames", several, "image of several frames", "images of several frames", "The first frame counts.")
    modes = [f"{one.name} ({one.facts.mode})" for one in seen if one.facts.mode not in PLAIN_MODES]
    yield from found(
        "converted", modes, "image neither RGB nor grey", "images neither RGB nor grey",
        "They are converted: white behind what is transparent, 16 bits to 8.",
    )  # fmt: skip
    flat = [one.name for one in seen if one.flat]
    yield from found(
        "flat", flat, "image of hardly more than one colour", "images of hardly more than one colour",
        "Look whether they are what their class says.",
    )  # fmt: skip
    if shown_size is not None:
        sizes = [(min(one.facts.width, one.facts.height), one) for one in seen]
        small = [f"{one.name} ({one.facts.width} × {one.facts.height})" for side, one in sizes if side < shown_size]
        below = f"smaller than the {shown_size} pixels that training shows"
        yield from found(
            "small", small, f"image {below}", f"images {below}", "They are enlarged. If most are: --set image_size=…"
        )
    sizes_of = Counter(splits.train.labels)
    most, least = (choose(sizes_of, key=lambda label: sizes_of[label]) for choose in (max, min))
    if sizes_of[most] >= UNEQUAL * sizes_of[least]:
        what = f"The class {splits.classes[most]!r} has {sizes_of[most]:,} training images, {splits.classes[least]!r} only "
        advice = "The small ones count for more with --set balance=loss, or come more often with balance=sampler."
        yield Finding("unequal", False, len(sizes_of), f"{what}{sizes_of[least]:,}.", advice)


def of_copies(groups: Sequence[Sequence[Seen]], classes: Sequence[str]) -> tuple[list[Finding], list[tuple[str, str]]]:
    """What copies there are, and which of them to leave out.

    Of a picture with several labels all copies are left out, because nobody here knows the right one; of others all but one: a
    validation image, if there is one, so that the test stays what it was.

    Returns:
        The findings; key of each image to leave out, and why.
    """
    leaked, contrary, harmless = [], [], []
    left_out: list[tuple[str, str]] = []
    for group in groups:
        labels, parts = {one.label for one in group}, {one.part for one in group}
        shown = _equation(group)
        if len(parts) > 1:
            leaked.append(shown)
        if len(labels) > 1:
            contrary.append(shown)
            named = ", ".join(sorted(classes[label] for label in labels))
            left_out += [(one.key, f"the same picture lies in several classes: {named}") for one in group]
        else:
            if len(parts) == 1:
                harmless.append(shown)
            stays = next((one for one in group if one.part == "validation"), group[0])
            left_out += [(one.key, f"the same picture as {stays.name}") for one in group if one is not stays]
    leave = "leave them out with --write-ignore FILE and `inceptions train FOLDER --ignore FILE`."
    flatter = "in training and in validation, so that the score would flatter"
    findings = [
        *found("leaked", leaked, f"picture is {flatter}", f"pictures are {flatter}", f"L{leave[1:]}", problem=True),
        *found(
            "contrary", contrary, "picture is in several classes", "pictures are in several classes",
            f"Correct them, or {leave}", problem=True,
        ),
        *found(
            "copies", harmless, "picture is there several times, on one side", "pictures are there several times, on one side",
            "They count for more than others. --write-ignore leaves one of each.",
        ),
    ]  # fmt: skip
    return findings, left_out


def _equation(group: Sequence[Seen]) -> str:
    """The names of a picture's copies, validation images first, and how they differ."""
    ordered = sorted(group, key=lambda one: (one.part != "validation", one.name))
    more = f" and {len(group) - 3} more" if len(group) > 3 else ""
    same = len({one.digest for one in group}) == 1
    return " = ".join(one.name for one in ordered[:3]) + more + ("" if same else " (re-encoded or resized)")


def _fits(one: Seen) -> bool:
    """Whether a name has no extension, or one of its content's format."""
    suffix = PurePosixPath(one.name).suffix.lower()
    return suffix not in EXTENSIONS or suffix in SUFFIXES.get(one.facts.format, EXTENSIONS)
