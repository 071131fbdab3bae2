"""Counts that other implementations publish or that were computed from them: they must come out of `cost` exactly."""

from __future__ import annotations

from typing import Any

import pytest

from inceptions.architecture import Options, cost, declare, names

# What each row says about one declaration, in the keys of `inceptions cost --json`; multiply-adds in units of 1e9, rounded to
# four digits as their sources round them. Sources: torchvision 0.29 and timm 1.0 on meta tensors, Keras's documentation, and
# counts of TF-slim, Cadene, facenet-pytorch and Caffe models.
ORACLES: list[tuple[str, int, dict[str, Any]]] = [
    ("googlenet/paper", 1000, {"params": 6_998_552, "params_with_heads": 13_378_280}),
    ("googlenet/paper", 1000, {"macs": 1.5827, "macs_with_heads": 1.5910}),
    ("googlenet/paper", 1000, {"convolutions": 57, "batch_norms": 0, "convolutions_with_heads": 59}),
    ("googlenet/bn", 1000, {"params": 6_624_904, "params_slim": 6_617_624, "params_keras": 6_632_184}),
    ("googlenet/bn", 1000, {"params_with_heads": 13_004_888, "macs": 1.4984, "macs_with_heads": 1.5067}),
    (
        "googlenet/bn",
        1000,
        {"convolutions": 57, "batch_norms": 57, "convolutions_with_heads": 59, "batch_norms_with_heads": 59},
    ),
    ("googlenet/bn", 1001, {"params": 6_625_929, "params_slim": 6_618_649, "params_keras": 6_633_209, "macs": 1.4984}),
    ("bn_inception/caffe", 1000, {"params": 11_295_240, "macs": 2.0326, "convolutions": 69, "batch_norms": 69}),
    ("bn_inception/caffe_unbiased", 1000, {"params": 11_285_224, "params_slim": 11_275_208, "params_keras": 11_295_240}),
    ("bn_inception/lim0606", 1000, {"params": 11_194_984, "params_slim": 11_185_032, "params_keras": 11_204_936}),
    ("bn_inception/lim0606", 1000, {"macs": 2.0189, "convolutions": 69, "batch_norms": 69}),
    ("bn_inception/paper", 1000, {"params": 11_188_288, "params_slim": 11_178_336, "params_keras": 11_198_240}),
    ("bn_inception/paper", 1000, {"macs": 1.9349, "convolutions": 70}),
    ("bn_inception/paper", 1001, {"params": 11_189_313, "params_slim": 11_179_361, "params_keras": 11_199_265, "macs": 1.9349}),
    # The checkpoint's stem has 64 biases where the row above counts batch norm: beta is the bias, and there is no gamma.
    ("bn_inception/slim", 1001, {"params": 11_189_313 - 64, "params_slim": 11_179_361, "macs": 1.9349, "batch_norms": 68}),
    ("inception_v3/torchvision", 1000, {"params": 23_834_568, "params_slim": 23_817_352, "params_keras": 23_851_784}),
    ("inception_v3/torchvision", 1000, {"macs": 5.7132, "convolutions": 94, "batch_norms": 94}),
    (
        "inception_v3/torchvision",
        1000,
        {"params_with_heads": 27_161_264, "params_slim_with_heads": 27_143_152, "params_keras_with_heads": 27_179_376},
    ),
    (
        "inception_v3/torchvision",
        1000,
        {"macs_with_heads": 5.7189, "convolutions_with_heads": 96, "batch_norms_with_heads": 96},
    ),
    ("inception_v3/tensorflow", 1001, {"params_with_heads": 27_164_082, "params_slim_with_heads": 27_145_970}),
    ("inception_v3/fid", 1008, {"params": 23_850_960, "params_slim": 23_833_744, "macs": 5.7132}),
    ("inception_v3/fid", 1008, {"convolutions": 94, "batch_norms": 94, "params_with_heads": 23_850_960}),
    ("inception_v4/released", 1000, {"params": 42_679_816, "params_slim": 42_648_232, "params_keras": 42_711_400}),
    ("inception_v4/released", 1000, {"macs": 12.2540, "convolutions": 149, "batch_norms": 149}),
    ("inception_v4/released", 1001, {"params": 42_681_353}),
    ("inception_v4/released", 1000, {"params_with_heads": 46_039_280, "params_slim_with_heads": 46_006_800}),
    (
        "inception_v4/released",
        1000,
        {"macs_with_heads": 12.2605, "convolutions_with_heads": 151, "batch_norms_with_heads": 151},
    ),
    ("inception_v4/released", 1001, {"params_with_heads": 46_041_586, "params_slim_with_heads": 46_009_106}),
    ("inception_v4/paper", 1000, {"params": 42_679_816, "macs": 12.2540}),
    ("inception_resnet_v1/paper", 1000, {"params": 22_756_328, "params_slim": 22_742_808, "macs": 6.2064, "convolutions": 127}),
    ("inception_resnet_v1/facenet", 8631, {"params": 27_910_327, "macs": 1.4221}),
    ("inception_resnet_v1/facenet", 8631, {"params_trunk": 23_482_624, "macs_trunk": 1.4177, "convolutions": 132}),
    # 111 batch norms after convolutions and the bottleneck's.
    ("inception_resnet_v1/facenet", 8631, {"batch_norms": 111 + 1}),
    ("inception_resnet_v2/released", 1000, {"params": 55_843_464, "params_slim": 55_813_192, "params_keras": 55_873_736}),
    ("inception_resnet_v2/released", 1000, {"macs": 13.1558, "convolutions": 244, "batch_norms": 204}),
    ("inception_resnet_v2/released", 1001, {"params": 55_845_001}),
    ("inception_resnet_v2/released", 1000, {"params_with_heads": 59_211_120, "params_slim_with_heads": 59_179_952}),
    (
        "inception_resnet_v2/released",
        1000,
        {"macs_with_heads": 13.1625, "convolutions_with_heads": 246, "batch_norms_with_heads": 206},
    ),
    ("inception_resnet_v2/released", 1001, {"params_with_heads": 59_213_426, "params_slim_with_heads": 59_182_258}),
    ("inception_resnet_v2/paper", 1000, {"params": 32_433_928, "macs": 9.2580, "convolutions": 132}),
]


@pytest.mark.parametrize(("name", "classes", "expected"), ORACLES, ids=lambda value: value if isinstance(value, str) else "")
def test_published_counts(name: str, classes: int, expected: dict[str, Any]) -> None:
    bill = cost(declare(name, options=Options(num_classes=classes))).to_dict()
    found = {key: round(bill[key] / 1e9, 4) if key.startswith("macs") else bill[key] for key in expected}
    assert found == expected


def test_facenet_at_the_papers_size() -> None:
    bill = cost(declare("inception_resnet_v1/facenet"), (299, 299))
    assert round(bill.macs_trunk / 1e9, 4) == 6.3077
    assert bill.params_trunk + bill.layers.normalised_channels == 23_497_424


def test_facenet_with_a_plain_classifier() -> None:
    bill = cost(declare("inception_resnet_v1/facenet", options=Options(until="block8_6")), (299, 299))
    assert bill.params == 24_357_096
    assert round(bill.macs / 1e9, 4) == 6.3086


def test_5x5_with_batch_norm_is_the_papers_googlenet_without_biases() -> None:
    # The hypothetical row of the table: 57 biases' worth of shifts, and as many scales on top.
    paper = cost(declare("googlenet/paper")).params
    bn = cost(declare("googlenet/bn")).layers
    assert paper + bn.normalised_channels == 7_005_832


def test_receptive_fields() -> None:
    nodes = {node.name: node for node in cost(declare("inception_v3")).nodes}
    # 3x3/2, two 3x3, pool/2.
    assert nodes["pool_3a"].field == 3 + 2 * 2 + 2 * 2 + 2 * 2
    # 7x1, 1x7, 7x1, 1x7: two steps of 6 values in each direction, 16 pixels apart; in a row they would be four.
    assert nodes["mixed_6b"].field - nodes["mixed_6a"].field == 2 * 6 * 16


def test_every_network_has_an_oracle() -> None:
    assert {name.split("/")[0] for name, _, _ in ORACLES} == set(names()) - {"plain_cnn", "inception_v2"}
