"""A declared network as a `torch.nn.Module`: one return type, named heads, named features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from inceptions.architecture import Architecture, Options, declare, names, variants
from inceptions.architecture.declaration import leaves
from inceptions.architecture.nodes import Dropout
from inceptions.architecture.shapes import after
from inceptions.errors import UsageError, unknown
from inceptions.network.initialise import initialise
from inceptions.network.layers import Sequence, build, build_each


class Network(nn.Module):
    """A network built from its declaration.

    The trunk's layers and the heads are direct children, under their declared names, so the state dict reads like the paper:
    `inception_3a.branch_2.3x3.conv.weight`. Pixels are somebody else's business: the input is normalised already.

    Attributes:
        architecture: the declaration, which every question about the network goes to.
        minimum_size: the smallest height and width of an input, in pixels.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        # Kept here because torch.compile cannot look into the declaration.
        self.minimum_size = architecture.minimum_size
        self._way = architecture.way
        for name, layer in build_each(architecture.trunk.nodes, architecture.input_shape):
            self.add_module(name, layer)
        for head, shape in architecture.walk(architecture.input_shape):
            self.add_module(head.name, build(head.body, shape))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the main head, in training as in evaluation.

        Args:
            x: normalised images, `[batch, in_channels, height, width]`.

        Returns:
            Logits, `[batch, num_classes]`.

        Raises:
            UsageError: wrong number of channels, or an image below the smallest size the network can work on.
        """
        self._check(x)
        for name in self._way:
            x = self.get_submodule(name)(x)
        logits: Tensor = self.get_submodule("main")(x)
        return logits

    def heads(self, x: Tensor) -> dict[str, Tensor]:
        """Logits of every head, `[batch, num_classes]` each, in depth order; the last is "main".

        Args:
            x: normalised images, `[batch, in_channels, height, width]`.

        Raises:
            UsageError: as `forward`.
        """
        self._check(x)
        waiting = {head.at: head.name for head in self.architecture.heads[:-1]}
        found: dict[str, Tensor] = {}
        for name in self._way:
            x = self.get_submodule(name)(x)
            if name in waiting:
                found[waiting[name]] = self.get_submodule(waiting[name])(x)
        found["main"] = self.get_submodule("main")(x)
        return found

    def features(self, x: Tensor, taps: Iterable[str | int] | None = None) -> dict[str | int, Tensor]:
        """Feature maps, `[batch, channels, height, width]`, by what they were asked for with.

        Args:
            x: normalised images, `[batch, in_channels, height, width]`.
            taps: names of trunk nodes ("inception_4a") or of anything inside them ("inception_4a.branch_2.3x3"), other names
                the architecture gives them ("mixed_8"), or strides (16: the last map of a sixteenth of the input's side);
                every node of the trunk if None. Layers behind the last tap are not run.

        Raises:
            UsageError: a tap that is not there, or an input as `forward` refuses it.
        """
        self._check(x)
        asked: list[str | int] = list(self.architecture.taps if taps is None else taps)
        wanted = [self.architecture.tap(tap) for tap in asked]
        stages = [self._stage(tap) for tap in wanted]
        last = max((self.architecture.taps.index(stage) for stage in stages), default=-1)
        found: dict[str, Tensor] = {}
        with self._listening([tap for tap in wanted if "." in tap], found):
            for name in self.architecture.taps[: last + 1]:
                x = self.get_submodule(name)(x)
                if name in wanted:
                    found[name] = x
        return {name: found[tap] for name, tap in zip(asked, wanted, strict=True)}

    def reset_classifier(self, num_classes: int) -> None:
        """Give every head a new, freshly initialised classifier.

        Raises:
            UsageError: `num_classes` is not a positive whole number.
        """
        options = replace(self.architecture.options, num_classes=num_classes)
        declared = declare(self.architecture.name, self.architecture.variant, options)
        for head, shape in declared.walk(declared.input_shape):
            body = self.get_submodule(head.name)
            assert isinstance(body, Sequence)
            before = shape
            for node in head.body.nodes[:-1]:
                before = after(node, before)
            old = next(body.get_submodule("logits").parameters())
            new = build(head.body.nodes[-1], before).to(device=old.device, dtype=old.dtype)
            initialise(new, declared.initialiser)
            new.train(self.training)
            body.logits = new
        self.architecture = declared

    def set_dropout(self, rate: float | None) -> None:
        """Let every dropout of the trunk and the heads drop this share of its input in training; 0 switches all of them off.

        Recipes decide this, not the network: GoogLeNet's authors trained it with 40 % and 70 %, and the same network with batch
        norm without any (Ioffe and Szegedy 2015, section 4.2.1). Weight files do not keep it.

        Args:
            rate: 0 to 1 (exclusive); None for the declared rates.

        Raises:
            UsageError: `rate` is out of range.
        """
        if rate is not None and not 0 <= rate < 1:
            raise UsageError(f"A rate of dropout is at least 0 and below 1, not {rate!r}.")
        for tree in (*self.architecture.trunk.nodes, *(head.body for head in self.architecture.heads)):
            for path, node in leaves(tree):
                if isinstance(node, Dropout):
                    layer = self.get_submodule(path)
                    assert isinstance(layer, nn.Dropout)
                    layer.p = node.p if rate is None else rate

    def set_bn_momentum(self, momentum: float) -> None:
        """Set how far each batch in training moves the running averages of every batch norm.

        In PyTorch's sense: running = (1 - momentum) * running + momentum * batch. Networks are built with 0.1. TF-slim trained
        the family with 0.0003 (there, a decay of 0.9997), Keras has 0.01, facenet 0.005. Weight files do not keep it.

        Args:
            momentum: above 0, at most 1.

        Raises:
            UsageError: `momentum` is out of range.
        """
        if not 0 < momentum <= 1:
            raise UsageError(f"The momentum of batch norm is above 0 and at most 1, not {momentum!r}.")
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.momentum = momentum

    def _check(self, x: Tensor) -> None:
        """Refuse what would fail deep inside, while the reason can still be named."""
        channels = self.architecture.options.in_channels
        if x.ndim != 4 or x.shape[1] != channels:
            raise UsageError(
                f"{self.architecture.full_name} takes [batch, {channels}, height, width], not {list(x.shape)}."
                " Build it with in_channels=… to feed it other channels."
            )
        least = self.minimum_size
        if x.shape[2] < least or x.shape[3] < least:
            raise UsageError(
                f"{self.architecture.full_name} needs images of at least {least}×{least} pixels, not {x.shape[2]}×{x.shape[3]}."
            )

    def _stage(self, tap: str) -> str:
        """The trunk node that a tap belongs to."""
        stage = tap.split(".", 1)[0]
        inside = [f"{stage}.{name}" for name, _ in self.get_submodule(stage).named_modules() if name]
        if tap != stage and tap not in inside:
            raise unknown(f"tap inside {stage}", tap, inside)
        return stage

    @contextmanager
    def _listening(self, taps: list[str], found: dict[str, Tensor]) -> Iterator[None]:
        """Keep what leaves the named inner layers while the block runs."""

        def keep(tap: str) -> torch.utils.hooks.RemovableHandle:
            # A copy: a convolution's ReLU works in place on what the batch norm inside it made.
            return self.get_submodule(tap).register_forward_hook(lambda _module, _input, out: found.update({tap: out.clone()}))

        handles = [keep(tap) for tap in taps]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def create_model(
    name: str,
    *,
    variant: str | None = None,
    num_classes: int | None = None,
    in_channels: int = 3,
    aux: bool | None = None,
    until: str | int | None = None,
    width: float = 1.0,
    depth: float = 1.0,
    residual_scale: float | None = None,
    padding: Literal["published", "same"] = "published",
    seed: int | None = None,
    device: torch.device | str | None = None,
) -> Network:
    """Build a network of the family with fresh weights.

    Args:
        name: "googlenet", ... (`list_models()`), or "googlenet/paper" with its variant.
        variant: which of the networks of that name; the one whose published weights people use if None. "paper-5x5" is
            `inception_v3/paper` without one of its steps (`inceptions.architecture.ladder`).
        num_classes: outputs of every head; the published number if None (1000, but 1008 for `inception_v3/fid`).
        in_channels: channels of the images.
        aux: whether the auxiliary heads are built; where the published weights or the paper have them if None. They answer only
            to `model.heads`, and cost nothing in `model(x)`.
        until: end the trunk at this tap (by name, or by stride), with pooling and a new classifier behind it.
        width: factor on every number of filters.
        depth: factor on the number of modules in each stage.
        residual_scale: factor on the residuals of an Inception-ResNet, 0 to 1; the published ones if None.
        padding: "same" pads every window of the trunk, so that only strides change the maps' sizes (for dense prediction).
        seed: for reproducible weights; torch's global generator if None.
        device: where the weights live; "meta" builds the structure only.

    Returns:
        The network, in training mode.

    Raises:
        UsageError: an unknown name, variant or tap, or a number out of range.
    """
    options = Options(
        num_classes=num_classes,
        in_channels=in_channels,
        aux=aux,
        until=until,
        width=width,
        depth=depth,
        residual_scale=residual_scale,
        padding=padding,
    )
    return from_architecture(declare(name, variant, options), seed=seed, device=device)


def from_architecture(
    architecture: Architecture, *, seed: int | None = None, device: torch.device | str | None = None, fresh: bool = True
) -> Network:
    """Build a declared network.

    Args:
        architecture: the declaration.
        seed: as in `create_model`.
        device: as in `create_model`.
        fresh: initialise the weights; False leaves them as raw memory, for a state dict that is about to be loaded.
    """
    # On "meta" no layer spends time on an initialisation that would be thrown away.
    with torch.device("meta"):
        model = Network(architecture)
    target = torch.device(device) if device is not None else torch.get_default_device()
    if target.type == "meta":
        return model
    # As `to_empty` does, which takes three quarters of a second to learn how to make tensors like those on "meta".
    model._apply(lambda one: torch.empty(one.shape, dtype=one.dtype, device=target))  # type: ignore[no-untyped-call]
    if fresh:
        generator = None if seed is None else torch.Generator(target).manual_seed(seed)
        initialise(model, architecture.initialiser, generator)
    return model


def list_models() -> list[str]:
    """Every network and variant, as "name/variant"; a name's default variant comes first."""
    return [f"{name}/{variant}" for name in names() for variant in variants(name)]
