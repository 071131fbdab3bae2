"""Our weight file: safetensors, with the card as JSON in its metadata. Never a pickle."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from inceptions.errors import WeightsError
from inceptions.files import replacing
from inceptions.network import Network
from inceptions.weights.card import Card

CARD_KEY = "inceptions"
BEST_WEIGHTS = "weights.safetensors"
LARGEST_HEADER = 16 * 2**20


def save_weights(path: Path, weights: Network | Mapping[str, Tensor], card: Card) -> None:
    """Write a weight file: whole, or not at all.

    Args:
        path: the file, by convention `*.safetensors`.
        weights: a network, or a state dict with its names.
        card: what the file says about itself.

    Raises:
        MachineError: the file cannot be written; an older file of that name is as it was.
    """
    state = weights.state_dict() if isinstance(weights, Network) else weights
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    with replacing(path) as temporary:
        save_tensors(temporary, tensors, {CARD_KEY: card.to_json()})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata; an `OSError` where the library hides one in its own exception."""
    try:
        save_file(dict(tensors), path, dict(metadata))
    except SafetensorError as error:
        # The library prints the system's error: "I/O error: No space left on device (os error 28)".
        head, _, number = str(error).rpartition("(os error ")
        if head and number.rstrip(")").isdigit():
            code = int(number.rstrip(")"))
            raise OSError(code, os.strerror(code)) from error
        raise


def read_weights(path: Path) -> tuple[dict[str, Tensor], Card]:
    """Tensors and card of a weight file, or of the best weights in a run folder.

    Raises:
        WeightsError: there is no such file, it is not a weight file of ours, or it is damaged.
    """
    path = locate(path)
    check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(CARD_KEY)
            if text is None:
                raise WeightsError(f"{path} holds tensors but does not say of which network: it was not written by inceptions.")
            card = Card.from_json(text, str(path))
            return {name: file.get_tensor(name) for name in file.keys()}, card  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error}). It may be damaged or cut off; fetch or write it again."
        ) from error


def check_classifier(card: Card, path: Path | str) -> None:
    """Refuse features without a classifier where answers are wanted.

    Raises:
        WeightsError: says what they are good for.
    """
    if not card.classes:
        raise WeightsError(
            f"{path} has no classifier, only the features of {card.architecture}/{card.variant}: start training from it "
            f"(inceptions train PHOTOS/ --weights {path} --recipe finetune), or take them with inceptions.weights.load_trunk."
        )


def load_state(model: Network, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give a network all its tensors: none missing, none left over, every shape right.

    Raises:
        WeightsError: says how many tensors differ and names the first of them; the network is untouched.
    """
    expected = model.state_dict()
    faults = [f"{name} is missing" for name in expected if name not in tensors]
    faults += [f"{name} is not part of it" for name in tensors if name not in expected]
    for name, tensor in tensors.items():
        if name in expected and tensor.shape != expected[name].shape:
            faults.append(f"{name} is {list(tensor.shape)} instead of {list(expected[name].shape)}")
        elif name in expected and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            faults.append(f"{name} holds values that are not finite")
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise WeightsError(f"{where} does not fit {model.architecture.full_name}: {'; '.join(faults[:3])}{more}.")
    model.load_state_dict(dict(tensors))


def locate(path: Path) -> Path:
    """The weight file itself: a run folder stands for its best weights.

    Raises:
        WeightsError: nothing is there.
    """
    if path.is_dir():
        if not (path / BEST_WEIGHTS).is_file():
            raise WeightsError(f"{path} holds no {BEST_WEIGHTS}: is it the folder of a run that has finished an epoch?")
        return path / BEST_WEIGHTS
    if not path.is_file():
        raise WeightsError(f"There is no weight file {path}.")
    return path


def check_header(path: Path) -> None:
    """Refuse a file that is no safetensors, or whose header would cost memory, before a parser sees it.

    Raises:
        WeightsError: says what the file seems to be.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if len(start) < 8:
                raise WeightsError(f"{path} is too short ({size} bytes) to be a weight file.")
            (header,) = struct.unpack("<Q", start)
            if header > min(size - 8, LARGEST_HEADER):
                raise WeightsError(f"{path} is not a safetensors file, or was cut off.")
            json.loads(file.read(header))
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path} is not a safetensors file: its header is not JSON.") from error
