"""What the declarations promise about themselves, for every network and variant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inceptions.architecture import Architecture, Options, cost, declare, names, variants
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import BatchNorm, Conv, Node, Pool, Residual, SeparableConv
from inceptions.architecture.shapes import Shape, after, reduction
from inceptions.architecture.table import table
from inceptions.errors import UsageError

EVERY = [f"{name}/{variant}" for name in names() for variant in variants(name)]
FAMILY = [name for name in EVERY if not name.startswith("plain_cnn")]


def nodes(name: str, **options: object) -> dict[str, Node]:
    return {node.name: node for node in declare(name, options=Options(**options)).trunk.nodes}  # type: ignore[arg-type]


def leaf(name: str, path: str) -> Node:
    return dict(leaves(declare(name).trunk))[f"trunk.{path}"]


def pools(node: Node) -> list[Pool]:
    return [found for _, found in leaves(node) if isinstance(found, Pool)]


def channels_after(architecture: Architecture, tap: str) -> int:
    return next(node.output.channels for node in cost(architecture).nodes if node.name == tap)


def test_the_first_variant_is_the_default() -> None:
    for name in names():
        assert declare(name).variant == next(iter(variants(name)))


@pytest.mark.parametrize("name", EVERY)
def test_a_declaration_says_who_it_is(name: str) -> None:
    architecture = declare(name)
    assert architecture.full_name == name
    assert architecture.summary == variants(architecture.name)[architecture.variant]
    assert len(architecture.summary) <= 120
    assert architecture.source


@pytest.mark.parametrize("name", EVERY)
def test_published_sizes_are_ours_or_marked_as_wrong(name: str) -> None:
    architecture = declare(name)
    found = {node.name: node for node in cost(architecture).nodes}
    for tap, row in architecture.published.items():
        ours = found[tap].output
        if row.output and row.output not in (str(ours), str(ours.channels)):
            assert row.remark, f"{tap}: printed {row.output}, here {ours}"


def test_misprints_are_remarked_below_the_table() -> None:
    remarks = table(cost(declare("inception_resnet_v2/paper"))).remarks
    assert any("1152" in remark for remark in remarks)
    assert any("608" in remark for remark in table(cost(declare("bn_inception"))).remarks)


@pytest.mark.parametrize("name", EVERY)
def test_every_size_from_the_minimum_up_fits_and_none_below(name: str) -> None:
    architecture = declare(name)
    least = architecture.minimum_size
    for size in range(1, 401):
        entrance = Shape(3, size, size + size % 3)
        if size >= least:
            assert all(shape.values for _, shape in architecture.walk(entrance))
        else:
            with pytest.raises(UsageError, match=f"at least {least}×{least}"):
                cost(architecture, (size, size))


def test_published_minima() -> None:
    # Keras documents 75 for the two it has; slim's and torchvision's forms were tried out.
    least = {name: declare(name).minimum_size for name in EVERY}
    assert least["googlenet/bn"] == 15
    # Section 9 of the "Rethinking" paper: the same maps from fewer pixels.
    assert (least.pop("inception_v3/tensorflow_151"), least.pop("inception_v3/tensorflow_79")) == (39, 21)
    assert {size for name, size in least.items() if name.startswith(("inception_v", "inception_resnet"))} == {75}


@pytest.mark.parametrize("name", FAMILY)
@given(
    width=st.floats(0.01, 2),
    depth=st.floats(0.01, 3),
    classes=st.integers(1, 9),
    channels=st.integers(1, 6),
    padding=st.sampled_from(["published", "same"]),
    at=st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=8, deadline=None)
def test_options_combine(name: str, width: float, depth: float, classes: int, channels: int, padding: str, at: float) -> None:
    options = Options(num_classes=classes, in_channels=channels, width=width, depth=depth, padding=padding)  # type: ignore[arg-type]
    whole = declare(name, options=options)
    assert cost(whole).params > 0
    until = whole.taps[int(at * len(whole.taps))]
    cut = declare(name, options=replace(options, until=until))
    assert cut.taps == whole.taps[: whole.taps.index(until) + 1]
    assert cost(cut).nodes[-1].output == Shape(classes)
    assert all(head.at in cut.taps[:-1] for head in cut.heads[:-1])


@pytest.mark.parametrize("name", FAMILY)
def test_width_1_and_depth_1_are_the_published_network(name: str) -> None:
    assert declare(name, options=Options(width=1.0, depth=1.0)) == declare(name)


@pytest.mark.parametrize("name", FAMILY)
@given(height=st.integers(1, 300), width=st.integers(1, 300))
@settings(max_examples=10, deadline=None)
def test_same_padding_leaves_sizes_to_the_strides(name: str, height: int, width: int) -> None:
    architecture = declare(name, options=Options(padding="same"))
    assert architecture.minimum_size == 1
    shape, stride = Shape(3, height, width), 1
    for node in architecture.trunk.nodes:
        shape = after(node, shape)
        stride *= reduction(node)
        if stride:
            assert (shape.height, shape.width) == (-(-height // stride), -(-width // stride))


def test_deeper_than_published_repeats_the_last_module() -> None:
    deep = nodes("inception_v3", depth=2)
    assert [name for name in deep if name.startswith("mixed_7")] == [
        "mixed_7a",
        "mixed_7b",
        "mixed_7c",
        "mixed_7c_2",
        "mixed_7c_3",
    ]
    assert deep["mixed_6e_3"] == replace(deep["mixed_6e"], name="mixed_6e_3")  # type: ignore[type-var]
    assert "inception_5b_3" in nodes("googlenet", depth=2)
    assert sum(name.startswith("block17") for name in nodes("inception_resnet_v2", depth=0.25)) == 5


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("googlenet", ["aux_4a", "aux_4d"]),
        ("googlenet/slim", []),
        ("bn_inception", []),
        ("bn_inception/mxnet", []),
        ("bn_inception/lim0606", ["aux_3c", "aux_4e"]),
        ("bn_inception/slim", []),
        ("inception_v2", ["aux_6e"]),
        ("inception_v3", ["aux_6e"]),
        ("inception_v3/fid", []),
        ("inception_v4", ["aux_6h"]),
        ("inception_v4/paper", []),
        ("inception_resnet_v1", []),
        ("inception_resnet_v2", ["aux_block17_20"]),
        ("inception_resnet_v2/paper", []),
    ],
)
def test_auxiliary_heads(name: str, heads: list[str]) -> None:
    assert [head.name for head in declare(name).heads] == [*heads, "main"]
    assert [head.name for head in declare(name, options=Options(aux=False)).heads] == ["main"]


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        *((f"bn_inception/{variant}", ["aux_3c", "aux_4e"]) for variant in variants("bn_inception")),
        ("googlenet/slim", ["aux_4a", "aux_4d"]),
        ("inception_v3/fid", ["aux_6e"]),
    ],
)
def test_auxiliary_heads_on_request(name: str, heads: list[str]) -> None:
    asked, plain = cost(declare(name, options=Options(aux=True))), cost(declare(name))
    assert [head.name for head in asked.architecture.heads] == [*heads, "main"]
    assert asked.params == plain.params < asked.params_with_heads


@pytest.mark.parametrize(
    "name", ["googlenet", "bn_inception/lim0606", "inception_v2", "inception_v3", "inception_v4", "inception_resnet_v2"]
)
def test_the_shallowest_network_keeps_a_head_to_train_with(name: str) -> None:
    assert len(declare(name, options=Options(depth=0.01)).heads) > 1


def test_names_of_2015_are_accepted() -> None:
    v3 = declare("inception_v3", options=Options(until="mixed_8"))
    assert v3.taps[-1] == "mixed_7a"
    assert v3.tap("mixed") == v3.tap("mixed0") == "mixed_5b"
    whole = declare("inception_v3")
    assert whole.tap("mixed_10") == whole.tap("mixed10") == "mixed_7c"
    assert whole.tap("mixed_3.branch_1.3x3") == "mixed_6a.branch_1.3x3"


def test_taps_by_stride() -> None:
    assert declare("inception_v3").strides == {2: "conv_2b", 4: "conv_4a", 8: "mixed_5d", 16: "mixed_6e", 32: "mixed_7c"}
    assert declare("inception_resnet_v1").strides[32] == "block8_6"
    with pytest.raises(UsageError, match="no tap at stride 64; it has 2, 4, 8, 16, 32"):
        declare("inception_v3").tap(64)


@pytest.mark.parametrize("until", ["mixed_9z", "mixed_6b.branch_1", ""])
def test_a_network_ends_at_a_whole_node(until: str) -> None:
    with pytest.raises(UsageError, match="mixed_6b"):
        declare("inception_v3", options=Options(until=until))


@pytest.mark.parametrize(
    "wrong",
    [
        *({"residual_scale": 1.1}, {"residual_scale": -0.1}, {"residual_scale": "0.1"}, {"residual_scale": True}),
        *({"padding": "valid"}, {"width": 0}, {"width": True}, {"depth": True}, {"depth": float("nan")}, {"width": "1"}),
        *({"num_classes": 0}, {"num_classes": True}, {"in_channels": None}, {"until": True}, {"until": 1.5}, {"aux": "no"}),
    ],
)
def test_options_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Options(**wrong)  # type: ignore[arg-type]


def test_residual_scales() -> None:
    def scales(name: str, **options: float) -> list[tuple[float, bool]]:
        found = [(node.scale, node.relu) for node in nodes(name, **options).values() if isinstance(node, Residual)]
        return sorted(set(found))

    assert scales("inception_resnet_v2") == [(0.10, True), (0.17, True), (0.20, True), (1.0, False)]
    assert scales("inception_resnet_v1/facenet") == [(0.10, True), (0.17, True), (0.20, True), (1.0, False)]
    assert scales("inception_resnet_v1/paper") == [(0.10, True), (0.17, True), (0.20, True)]
    assert scales("inception_resnet_v2", residual_scale=0.3) == [(0.3, True), (1.0, False)]
    with pytest.raises(UsageError, match="no residual connections"):
        declare("inception_v4", options=Options(residual_scale=0.1))


def test_residuals_expand_linearly_and_with_a_bias() -> None:
    up = leaf("inception_resnet_v2", "block35_1.up")
    assert isinstance(up, Conv)
    assert (up.filters, up.norm, up.relu, up.has_bias) == (320, None, False, True)


def test_average_pools_count_padding_where_the_weights_users_did() -> None:
    def counting(name: str) -> set[bool]:
        return {pool.count_padding for node in nodes(name).values() for pool in pools(node) if pool.kind == "average"}

    assert counting("inception_v3/torchvision") == counting("bn_inception/caffe") == {True}
    for name in ("inception_v3/tensorflow", "inception_v3/fid", "bn_inception/slim", "inception_v4", "inception_resnet_v2"):
        assert counting(name) == {False}


def test_max_pools_where_modules_usually_average() -> None:
    def last(name: str, tap: str) -> str:
        return pools(nodes(name)[tap])[-1].kind

    assert last("bn_inception", "inception_5a") == "average"
    assert last("bn_inception", "inception_5b") == "max"
    assert last("inception_v3/fid", "mixed_7b") == "average"
    assert last("inception_v3/fid", "mixed_7c") == "max"
    assert last("inception_v3/tensorflow", "mixed_7c") == "average"


def test_batch_norm_constants() -> None:
    def eps(name: str) -> set[float]:
        trees = declare(name).trunk
        norms = (getattr(found, "norm", None) for _, found in leaves(trees))
        return {norm.eps for norm in norms if isinstance(norm, BatchNorm)}

    assert eps("bn_inception/caffe") == eps("bn_inception/lim0606") == {1e-5}
    for name in ("bn_inception/slim", "inception_v3", "inception_v4", "inception_resnet_v1", "inception_resnet_v2"):
        assert eps(name) == {1e-3}


def test_the_two_lineages_of_bn_inception() -> None:
    def depths(variant: str) -> list[int]:
        architecture = declare("bn_inception", variant)
        return [channels_after(architecture, f"inception_4{letter}") for letter in "abcde"]

    assert depths("caffe") == [576, 576, 608, 608, 1056]
    assert depths("slim") == depths("lim0606") == depths("paper") == [576, 576, 576, 576, 1024]


@pytest.mark.parametrize("block", ["block35", "block17", "block8"])
def test_the_papers_misprinted_expansions_are_what_enters(block: str) -> None:
    depth = {"block35": 384, "block17": 1152, "block8": 2144}[block]
    assert channels_after(declare("inception_resnet_v2/paper"), f"{block}_1") == depth


def test_v4_figures_only_turn_kernels() -> None:
    released, paper = declare("inception_v4/released"), declare("inception_v4/paper")
    kernels = [[node.window for _, node in leaves(a.trunk) if isinstance(node, Conv)] for a in (released, paper)]
    turned = [(a, b) for a, b in zip(*kernels, strict=True) if a != b]
    assert all(a == b[::-1] for a, b in turned)
    # A pair in the stem, two in each of the seven 17x17 modules, one in each of the three 8x8 modules.
    assert len(turned) == 2 * (1 + 2 * 7 + 3)


def test_a_declaration_says_what_was_not_asked() -> None:
    assert declare("inception_v3/fid").options == Options(num_classes=1008, aux=False)
    assert declare("inception_v3/fid", options=Options(num_classes=5)).options.num_classes == 5
    assert declare("googlenet").options == Options(num_classes=1000, aux=True)
    # An alias and a stride become the tap's own name.
    for until in ("mixed_7", "mixed_6e", 16):
        assert declare("inception_v3", options=Options(until=until)).options.until == "mixed_6e"


def test_slim_networks_pad_as_tensorflow() -> None:
    for name in ("googlenet/slim", "bn_inception/slim"):
        strided = [node for _, node in leaves(declare(name).trunk) if getattr(node, "stride", 1) > 1]
        assert {node.padding for node in strided} == {"tensorflow"}  # type: ignore[attr-defined]
        assert len(strided) == {"googlenet/slim": 5, "bn_inception/slim": 9}[name]
    # These never pad where they stride, so that the question does not arise.
    for name in ("inception_v3/tensorflow", "inception_v4", "inception_resnet_v2"):
        strided = [node for _, node in leaves(declare(name).trunk) if getattr(node, "stride", 1) > 1]
        assert {node.padding for node in strided} == {"valid"}  # type: ignore[attr-defined]


def test_slims_heads() -> None:
    # 5x5/3, 128 1x1, 768 5x5 that leaves one value, classifier (TF-slim's inception_v3, _v4 and _resnet_v2).
    for name in ("inception_v3/tensorflow", "inception_v4", "inception_resnet_v2"):
        (head,) = cost(declare(name)).heads
        ops = [(node.op, str(node.output)) for node in head.nodes]
        assert ops[0][0].startswith("average pool to 5×5 (5×5/3)")
        assert ops[1:3] == [("conv 1×1", "5×5×128"), ("conv 5×5", "1×1×768")]
        convs = [node for node in declare(name).heads[0].body.nodes if isinstance(node, Conv)]
        assert all(conv.norm is not None and conv.relu for conv in convs)


def test_mxnet_rounds_down() -> None:
    sizes = {node.name: (node.output.channels, node.output.height) for node in cost(declare("bn_inception/mxnet")).nodes}
    assert (sizes["pool_1"], sizes["pool_2"]) == ((64, 55), (192, 27))
    assert (sizes["inception_3c"], sizes["inception_4e"], sizes["inception_5b"]) == ((576, 14), (1056, 7), (1024, 7))
    first = leaf("bn_inception/mxnet", "conv_1")
    assert isinstance(first, Conv)
    assert first.norm == BatchNorm(eps=1e-5 + 1e-10)
    assert first.has_bias


@pytest.mark.parametrize(("channels", "between"), [(1, 24), (2, 32), (3, 24), (4, 32), (6, 48)])
def test_a_separable_stem_never_narrows(channels: int, between: int) -> None:
    stem = declare("bn_inception/slim", options=Options(in_channels=channels)).trunk.nodes[0]
    assert isinstance(stem, SeparableConv)
    assert channels * stem.multiplier == between
