"""A folder of images to batches: one decoder, one reader of folders, the transforms and the resumable loader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inceptions.lazy import on_first_use

if TYPE_CHECKING:
    from inceptions.data.augment import Augment as Augment
    from inceptions.data.decode import ImageError as ImageError
    from inceptions.data.decode import decode as decode
    from inceptions.data.folder import find_images as find_images
    from inceptions.data.images import Files as Files
    from inceptions.data.images import Images as Images
    from inceptions.data.images import Splits as Splits
    from inceptions.data.loader import Batch as Batch
    from inceptions.data.loader import Loader as Loader
    from inceptions.data.loader import evaluation_batches as evaluation_batches
    from inceptions.data.mixing import mixed as mixed
    from inceptions.data.normalise import normalise as normalise
    from inceptions.data.order import Shuffle as Shuffle
    from inceptions.data.order import batch_seed as batch_seed
    from inceptions.data.order import count_batches as count_batches
    from inceptions.data.order import order as order
    from inceptions.data.order import sample_seed as sample_seed
    from inceptions.data.scan import Readable as Readable
    from inceptions.data.scan import prepare as prepare
    from inceptions.data.scan import prepare_evaluation as prepare_evaluation
    from inceptions.data.showing import Pixels as Pixels
    from inceptions.data.showing import showing as showing
    from inceptions.data.source import open_data as open_data
    from inceptions.data.source import open_evaluation as open_evaluation
    from inceptions.data.transforms import evaluation as evaluation
    from inceptions.data.transforms import training as training

# Half of these need torch, and the way of a photograph to an exported network does not.
__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "augment": ("Augment",),
        "decode": ("ImageError", "decode"),
        "folder": ("find_images",),
        "images": ("Files", "Images", "Splits"),
        "loader": ("Batch", "Loader", "evaluation_batches"),
        "mixing": ("mixed",),
        "normalise": ("normalise",),
        "order": ("Shuffle", "batch_seed", "count_batches", "order", "sample_seed"),
        "scan": ("Readable", "prepare", "prepare_evaluation"),
        "showing": ("Pixels", "showing"),
        "source": ("open_data", "open_evaluation"),
        "transforms": ("evaluation", "training"),
    },
)
