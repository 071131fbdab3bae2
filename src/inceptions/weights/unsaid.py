"""What a foreign file does not say: how images are shown to its network, and what its outputs are called.

Known where the file is a published one, by its checksum. Assumed where all published files of its family and network agree that
have as many outputs. Asked for otherwise.
"""

from __future__ import annotations

from pathlib import Path

from inceptions.weights.classes import LABEL_MAP, published_classes, read_classes
from inceptions.weights.preprocess import Preprocess
from inceptions.weights.published.catalogue import published
from inceptions.weights.published.checkpoint import Published
from inceptions.weights.recognise import Recognised
from inceptions.weights.styles import STYLES, preprocess_of

# How the tags of a family's published weights begin, where not with its name.
TAGS = {"fid": "pytorch_fid", "graph_2015": "tensorflow_2015", "facenet_tensorflow": "facenet", "slim_old": "slim"}


def identify(path: Path, digest: str, found: Recognised) -> Published | None:
    """The published checkpoint that the file is, by its checksum; a checkpoint in several parts is published in an archive."""
    if not path.is_file():
        return None
    size = path.stat().st_size
    for one in published(found.network.partition("/")[0]):
        checksum = one.checksum
        if checksum is None or one.member is not None or one.size not in (None, size):
            continue
        right = digest.startswith(checksum.digest) if checksum.algorithm == "sha256" else checksum.of(path) == checksum.digest
        if right:
            return one
    return None


def _candidates(found: Recognised, container: str) -> list[Published]:
    """What the file may be a copy of, going by its family, its network and its outputs."""
    member = found.member
    family = TAGS.get(member.family, member.family)
    families = [family]
    if member.network == "inception_v3/torchvision" and not found.aux:
        families = ["torchvision", "timm"]  # the same names, and only some of their files have the auxiliary head
    elif member.network == "inception_v3/torchvision":
        families = ["timm_tv" if container == "safetensors" else "torchvision"]
    like = [one for one in published(member.network) if one.tag.startswith(tuple(families))]
    return [one for one in like if found.classes is None or one.outputs == found.classes]


def find_preprocess(
    found: Recognised, container: str, identified: Published | None, asked: str | Preprocess | None, path: Path
) -> tuple[Preprocess | None, str, list[str]]:
    """The preprocessing, where it is known from, and what must be asked if it is not.

    Args:
        found: what the file is.
        container: its format.
        identified: the published checkpoint that it is, if it is one.
        asked: what its owner says.
        path: the file, for messages.
    """
    size = found.architecture().input_size[0]
    if isinstance(asked, Preprocess):
        return asked, "as asked", []
    if asked is not None:
        return preprocess_of(asked, found.network, size), f"as asked: {asked}", []
    if identified is not None:
        return identified.preprocess, f"{path.name} is the published {identified.full_name}", []
    candidates = _candidates(found, container)
    kinds = {one.preprocess for one in candidates}
    if len(kinds) == 1:
        like = ", ".join(one.tag for one in candidates)
        return kinds.pop(), f"assumed from its family, network and outputs, as {like}; --preprocess says otherwise", []
    tags = [one.tag for one in published(found.network.partition("/")[0])]
    return None, "", [f"how images are shown to it: add --preprocess with one of {', '.join([*STYLES, *tags])}, or a file"]


def find_classes(
    found: Recognised, identified: Published | None, asked: str | None, path: Path
) -> tuple[tuple[str, ...] | None, list[str]]:
    """The names of the outputs, and what must be asked if they are not known.

    Args:
        found: what the file is.
        identified: the published checkpoint that it is, if it is one.
        asked: what its owner says.
        path: the file; the 2015 graph's label map may lie beside it.
    """
    count = found.classes
    if count is None:
        return (), []
    if asked is not None:
        return read_classes(asked, count), []
    if identified is not None and identified.outputs == count:
        kind: str = identified.classes
    else:
        known = {one.classes for one in published(found.network.partition("/")[0]) if one.outputs == count}
        known &= {"ImageNet", "ImageNet, background first", "the 2015 graph's own", "VGGFace2", "CASIA-WebFace"}
        if len(known) != 1 or found.member.family == "inceptions":
            return None, [
                f"what its {count} classes are called: add --classes with a file (a name a line), or --classes numbered"
            ]
        kind = known.pop()
    if kind == "the 2015 graph's own" and path.with_name(LABEL_MAP).is_file():
        return read_classes(str(path.with_name(LABEL_MAP)), count), []
    return published_classes(count, kind), []
