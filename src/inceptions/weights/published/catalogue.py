"""The published checkpoints of all families: the one list of what can be fetched by name.

Accuracies are in percent on ImageNet's 50,000 validation images. Preprocessing is what goes into the network: torchvision's
models take ImageNet's statistics and undo them inside (`transform_input`), which together is (x - 0.5) / 0.5. A checksum is
what the publisher states (Keras, Caffe) or the digits in the file's name, whole where others state a digest that begins with
them (torchvision's Inception-v3, pytorch-fid, Cadene's BN-Inception); else what others who pin the file state: Intel's Open
Model Zoo for TF-slim's v1 and v2, a port to Keras for its Inception-ResNet-v2, and several projects that agree for
facenet-pytorch's VGGFace2. The Hugging Face Hub states the digest of a file when it is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator

from inceptions.errors import UsageError, unknown
from inceptions.weights.published.checkpoint import Published
from inceptions.weights.published.google import CAFFE, GRAPH_2015, KERASES, SLIMS
from inceptions.weights.published.pytorch import CADENES, FACENETS, TIMM, TORCHVISION

PUBLISHED: tuple[Published, ...] = (
    *TORCHVISION,
    *TIMM,
    *CADENES,
    *FACENETS,
    *GRAPH_2015,
    *KERASES,
    *SLIMS,
    *CAFFE,
)


def published(network: str | None = None) -> Iterator[Published]:
    """The checkpoints of a network ("inception_v3", or "inception_v3/fid" for those of one variant), or all of them."""
    for one in PUBLISHED:
        if network is None or network in (one.name, one.network):
            yield one


def find(tag: str, network: str | None = None) -> Published:
    """A checkpoint by its tag ("timm_tf_in1k") if the network is known, or by its full name ("inception_v3.timm_tf_in1k").

    Raises:
        UsageError: nothing of that name is published for the network, or the tag stands for several networks.
    """
    known = list(published(None if network is None else network.partition("/")[0]))
    found = [one for one in known if tag in (one.tag, one.full_name)]
    if len(found) > 1:
        raise UsageError(
            f"{tag!r} is published for several networks; name one of: {', '.join(one.full_name for one in found)}."
        )
    if not found:
        names = [one.full_name if network is None else one.tag for one in known]
        raise unknown("published weights" + (f" of {network}" if network else ""), tag, names)
    return found[0]
