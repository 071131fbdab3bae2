"""From a name to answers: a published checkpoint is fetched, recognised, converted and loaded."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import torch
import torchvision

import inceptions
from inceptions.errors import WeightsError
from inceptions.weights import source
from inceptions.weights.checksum import Checksum
from inceptions.weights.published import catalogue, find, place

from .conftest import Server, whole


def test_weights_by_name(server: Server, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = torchvision.models.googlenet(aux_logits=True, init_weights=False).eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    content = (tmp_path / "theirs.pth").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    real = find("torchvision_in1k", "googlenet")
    # As published, but for where it is and what is in it.
    ours = replace(real, address=f"{server.address}/{real.file}", checksum=Checksum("sha256", digest[:8]))
    for module in (catalogue, source):
        monkeypatch.setattr(module, "PUBLISHED", (ours,))
    server.answers = [whole(content)]

    model = inceptions.create_model("googlenet", weights="torchvision_in1k").eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model(x), theirs(x), rtol=1e-4, atol=1e-5)
    _, card = inceptions.load_model("googlenet.torchvision_in1k")
    assert card.preprocess == real.preprocess
    assert card.provenance["source"]["published"] == "googlenet.torchvision_in1k"
    assert card.provenance["source"]["sha256"] == digest
    assert len(server.ranges) == 1

    place(ours).write_bytes(content[:-1])
    with pytest.raises(WeightsError, match="is not the published file: its sha256 prefix is"):
        inceptions.load("googlenet.torchvision_in1k")
