"""What is known of a published checkpoint, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from inceptions.weights.address import HUB
from inceptions.weights.checksum import Checksum
from inceptions.weights.preprocess import Preprocess

Classes = Literal["ImageNet", "ImageNet, background first", "the 2015 graph's own", "VGGFace2", "CASIA-WebFace", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A checkpoint that somebody published.

    What nobody states is None; nothing here is guessed.

    Attributes:
        tag: our name of it, unique among the weights of one network.
        network: which network it belongs to, "name/variant".
        outputs: rows of its classifier; 0 without one.
        classes: what the outputs stand for.
        preprocess: what its publisher feeds it, as far as `Preprocess` can say it.
        remark: what it cannot say, and whatever else one must know.
        top1: published accuracy on ImageNet's validation images in percent, one centre crop.
        top5: the same for the five likeliest classes.
        scored_by: who measured it.
        licence: what the publisher says of the weights themselves; None where only the code has a licence.
        size: of the file that is fetched, in bytes.
        checksum: of the same.
        address: http(s), or "hf:owner/name" of the Hugging Face Hub.
        file: name of the file that is fetched, in the cache as at its publisher.
        member: name of the weight file if the fetched one is an archive.
    """

    tag: str
    network: str
    outputs: int
    classes: Classes
    preprocess: Preprocess
    remark: str = ""
    top1: float | None = None
    top5: float | None = None
    scored_by: str | None = None
    licence: str | None = None
    size: int | None = None
    checksum: Checksum | None = None
    address: str
    file: str
    member: str | None = None

    @property
    def name(self) -> str:
        """The network without its variant."""
        return self.network.partition("/")[0]

    @property
    def full_name(self) -> str:
        """As "inception_v3.torchvision_in1k": unique among all checkpoints, and the name of its folder in the cache."""
        return f"{self.name}.{self.tag}"

    @property
    def hub(self) -> str | None:
        """The repository on the Hugging Face Hub, if it is there."""
        return self.address.removeprefix(HUB) if self.address.startswith(HUB) else None

    @property
    def link(self) -> str:
        """Where a browser finds the file."""
        return self.address if self.hub is None else f"https://huggingface.co/{self.hub}/resolve/main/{self.file}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        checksum = None if self.checksum is None else {"kind": self.checksum.kind, "digest": self.checksum.digest}
        return {
            "tag": self.tag,
            "full_name": self.full_name,
            "network": self.network,
            "outputs": self.outputs,
            "classes": self.classes,
            "preprocess": self.preprocess.to_dict(),
            "remark": self.remark,
            "top1": self.top1,
            "top5": self.top5,
            "scored_by": self.scored_by,
            "licence": self.licence,
            "size": self.size,
            "checksum": checksum,
            "address": self.link,
            "file": self.file,
            "member": self.member,
        }
