"""Our GoogLeNet against torchvision's: the same network, the same engine, so the ratio should be 1."""

from __future__ import annotations

import torch
import torchvision

from benchmarks.interleaved import Measured, in_turn
from inceptions.network import create_model
from inceptions.weights.families.torchvision import googlenet as names

BATCH = 16


def measure() -> Measured:
    """Forward passes in evaluation, float32 as people run it by default; the answers are compared first."""
    peer = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False).eval()
    ours = create_model("googlenet").eval()
    ours.load_state_dict(names(ours.architecture).to_ours(peer.state_dict(), ours.state_dict(), "torchvision"))
    x = torch.randn(BATCH, 3, 224, 224)
    with torch.inference_mode():
        difference = (ours(x) - peer(x)).abs().max().item()
        last = x.to(memory_format=torch.channels_last)
        ours_last = create_model("googlenet").eval().to(memory_format=torch.channels_last)
        return in_turn(
            f"GoogLeNet forward, batch {BATCH}, 224×224, float32",
            {
                "torchvision, as it comes": lambda: peer(x),
                "inceptions, as it comes": lambda: ours(x),
                "inceptions, channels last": lambda: ours_last(last),
            },
            BATCH,
            note=f"largest difference of a logit: {difference:.1e}",
        )
