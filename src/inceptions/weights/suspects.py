"""What a file without an Inception in it seems to hold instead, from its names."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The first that is found counts: special ones before those whose names they share.
SUSPECTS: tuple[tuple[str, str], ...] = (
    (r"(^|[./])(qkv|attn|self_attention|query|class_token|cls_token|pos_embed)", "a transformer (ViT, Swin, ...)"),
    (r"denseblock\d|denselayer\d|(^|/)conv\d_block\d+_\d_(conv|bn)/|dense_block", "a DenseNet or ResNet"),
    (r"layer[1-4]\.\d+\.(conv|bn)\d|bottleneck_v[12]|res\d[a-f]_branch|stage\d_unit\d", "a ResNet"),
    (r"layer_scale|dwconv|conv_dw\.gamma|stages\.\d+\.blocks", "a ConvNeXt"),
    (r"sepconv|separable_conv|block\d+\.rep\.", "an Xception"),
    (
        r"depthwise|conv_dw|expanded_conv|features\.\d+\.conv\.\d|features\.\d+\.(\d+\.)?block\.\d",
        "a MobileNet or EfficientNet",
    ),
    (r"(^|\.)blocks\.\d+\.\d+\.", "a MobileNet or EfficientNet"),
    (r"fire\d|(^|\.)features\.\d+\.(squeeze|expand)", "a SqueezeNet"),
    (r"rpn|roi_heads|anchor", "an object detector"),
    (r"block\d_conv\d|(^|\.)features\.\d+\.(weight|bias)$|conv\d_\d", "a VGG or AlexNet"),
    (r"down_blocks|up_blocks|time_embed|decoder\.", "a generator or autoencoder"),
)


def seems(names: Iterable[str]) -> str | None:
    """What networks have such names, as a phrase; None if nothing is known of them."""
    names = list(names)
    for pattern, what in SUSPECTS:
        if any(re.search(pattern, name) for name in names):
            return what
    return None
