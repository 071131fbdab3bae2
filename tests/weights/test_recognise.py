"""Whose file it is, which network, and what is asked: from names and shapes alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import Tensor

from inceptions.errors import UsageError, WeightsError
from inceptions.network import create_model
from inceptions.weights.containers import Checkpoint
from inceptions.weights.families.members import MEMBERS, Member
from inceptions.weights.recognise import recognise
from inceptions.weights.suspects import seems

FAMILIES = [one for one in MEMBERS if one.family != "inceptions"]


def keeps(member: Member, **options: object) -> dict[str, Tensor]:
    """What the family keeps of a network: names and shapes."""
    network = create_model(member.network, **{"aux": member.aux, "device": "meta", **options})  # type: ignore[arg-type]
    return dict(member.finish(member.map().to_theirs({**network.state_dict(), **ones(member, network)})))


def ones(member: Member, network: torch.nn.Module) -> dict[str, Tensor]:
    # Scales that a family leaves out are looked at.
    unwritten = {pair.ours: pair.otherwise for pair in member.map().pairs if not pair.written}
    state = network.state_dict()
    return {name: torch.full(state[name].shape, float(value or 0)) for name, value in unwritten.items()}


def file(tensors: dict[str, Tensor], container: str = "pytorch", **groups: dict[str, Tensor]) -> Checkpoint:
    every = groups or {"": tensors}
    return Checkpoint(path=Path("a_file"), container=container, tensors=tensors, groups=every)  # type: ignore[arg-type]


@pytest.mark.parametrize("member", FAMILIES, ids=lambda one: f"{one.family}-{one.network}-{one.container}")
def test_every_family_is_told_from_all_others(member: Member) -> None:
    outputs = (member.outputs or (1000,))[0]
    found = recognise(file(keeps(member, num_classes=outputs), member.container))
    assert (found.member.family, found.network, found.classes) == (member.family, member.network, outputs)
    assert found.aux == member.aux
    assert not found.left_out


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "backbone.", "module.net.encoder."])
def test_prefixes_are_left_out_and_said(prefix: str) -> None:
    member = FAMILIES[0]
    tensors = {prefix + name: tensor for name, tensor in keeps(member, num_classes=5).items()}
    found = recognise(file(tensors))
    assert (found.network, found.classes) == ("googlenet/bn", 5)
    assert f"names begin with {prefix!r}, which is left out" in found.notes


def test_averaged_weights_are_preferred_and_a_group_can_be_chosen() -> None:
    member = FAMILIES[0]
    plain, averaged = keeps(member, num_classes=4), {f"module.{k}": v for k, v in keeps(member, num_classes=5).items()}
    checkpoint = file(plain, **{"state_dict": plain, "ema.shadow": averaged})
    found = recognise(checkpoint)
    assert (found.group, found.classes) == ("ema.shadow", 5)
    assert any("averaged weights" in note and "'state_dict'" in note for note in found.notes)
    assert recognise(checkpoint, group="state_dict").classes == 4
    with pytest.raises(UsageError, match="Unknown group"):
        recognise(checkpoint, group="nonsense")


def test_shadows_of_tensorflow_are_preferred_and_slots_ignored() -> None:
    member = next(one for one in MEMBERS if one.family == "slim" and one.network == "inception_v3/tensorflow")
    raw = keeps(member, num_classes=1001)
    extra = {f"{name}/RMSProp": tensor for name, tensor in raw.items()} | {"global_step": torch.zeros(())}
    shadows = {f"{name}/ExponentialMovingAverage": torch.empty(tensor.shape, device="meta") for name, tensor in raw.items()}
    checkpoint = file({**raw, **extra, **shadows}, "tensorflow")
    found = recognise(checkpoint)
    assert (found.group, found.classes) == ("ema", 1001)
    name = "InceptionV3/Conv2d_1a_3x3/weights"
    assert found.tensors[name] is shadows[f"{name}/ExponentialMovingAverage"]
    assert recognise(checkpoint, group="raw").tensors[name] is raw[name]
    assert {"global_step", f"{name}/RMSProp"} <= set(found.ignored)


def test_the_graph_of_2015_in_pytorch_has_1008_outputs() -> None:
    state = create_model("inception_v3/fid", num_classes=1008, aux=False, device="meta")
    member = next(one for one in MEMBERS if one.family == "fid")
    assert recognise(file(member.map().to_theirs(state.state_dict()))).network == "inception_v3/fid"


def test_a_5x5_branch_under_torchvisions_names_is_the_papers() -> None:
    member = next(one for one in MEMBERS if one.network == "googlenet/bn_5x5")
    assert recognise(file(keeps(member, num_classes=3))).network == "googlenet/bn_5x5"


def test_a_variant_with_the_same_tensors_can_be_named() -> None:
    tensors = torchvision_v3(aux_logits=False)
    assert recognise(file(tensors), variant="tensorflow").network == "inception_v3/tensorflow"
    with pytest.raises(UsageError, match="Unknown variant"):
        recognise(file(tensors), variant="paper")


def torchvision_v3(**options: object) -> dict[str, Tensor]:
    with torch.device("meta"):
        return torchvision.models.inception_v3(weights=None, init_weights=False, **options).state_dict()


def test_an_auxiliary_head_with_other_classes_is_left_out_and_said() -> None:
    tensors = torchvision_v3()
    tensors["fc.weight"], tensors["fc.bias"] = torch.empty(7, 2048), torch.empty(7)
    found = recognise(file(tensors))
    assert (found.classes, found.aux) == (7, False)
    assert "the auxiliary head aux_6e has 1000 outputs, not 7: left out" in found.notes
    assert "AuxLogits.fc.weight" in found.left_out


@pytest.mark.parametrize("name", ["fc.1", "classifier", "head.fc"])
def test_a_classifier_under_another_name_is_found_and_said(name: str) -> None:
    tensors = torchvision_v3(aux_logits=False)
    del tensors["fc.weight"], tensors["fc.bias"]
    tensors |= {f"{name}.weight": torch.empty(6, 2048), f"{name}.bias": torch.empty(6)}
    found = recognise(file(tensors))
    assert found.classes == 6
    assert f"{name}.weight and {name}.bias are taken to be its classifier" in found.notes


def test_our_own_names_without_a_card_ask_for_the_variant() -> None:
    state = create_model("inception_v3", num_classes=3, device="meta").state_dict()
    with pytest.raises(UsageError, match="add --variant with one of torchvision, tensorflow"):
        recognise(file(state))
    assert recognise(file(state), variant="tensorflow").network == "inception_v3/tensorflow"


OTHERS = {
    "a ResNet": ("resnet18", "wide_resnet50_2"),
    "a VGG or AlexNet": ("vgg11", "alexnet"),
    "a MobileNet or EfficientNet": ("mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"),
    "a transformer (ViT, Swin, ...)": ("vit_b_16", "swin_t"),
    "a DenseNet or ResNet": ("densenet121",),
    "a SqueezeNet": ("squeezenet1_0",),
    "a ConvNeXt": ("convnext_tiny",),
}


@pytest.mark.parametrize(("what", "name"), [(what, name) for what, names in OTHERS.items() for name in names])
def test_other_networks_are_named_and_refused(what: str, name: str) -> None:
    with torch.device("meta"):
        state = torchvision.models.get_model(name, weights=None).state_dict()
    assert seems(state) == what
    with pytest.raises(WeightsError, match="is not an Inception"):
        recognise(file(state))


@pytest.mark.parametrize("name", ["resnet50", "mobilenetv3_small_100", "vit_tiny_patch16_224", "xception41"])
def test_other_networks_of_timm_are_refused(name: str) -> None:
    with torch.device("meta"):
        state = timm.create_model(name, pretrained=False).state_dict()
    with pytest.raises(WeightsError, match="is not an Inception"):
        recognise(file(state))


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(WeightsError, match="not an Inception: no network of the family has tensors as 'x'"):
        recognise(file({"x": torch.zeros(3)}))


def test_a_part_of_a_family_is_not_a_file_of_it() -> None:
    state = keeps(FAMILIES[0])
    few = dict(list(state.items())[: len(state) // 4])
    with pytest.raises(WeightsError, match="too few to be that network"):
        recognise(file(few))


def test_published_number_of_classes_decides_between_equal_names() -> None:
    cadene = next(one for one in MEMBERS if one.family == "cadene" and one.network == "inception_v4/released")
    for outputs, container, family in ((1001, "pytorch", "cadene"), (1000, "safetensors", "timm")):
        found = recognise(file(keeps(cadene, num_classes=outputs), container))
        assert found.member.family == family
    assert replace(cadene, family="x").called == "x inception_v4"
