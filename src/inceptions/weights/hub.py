"""Weight files on the Hugging Face Hub: "hf:owner/name" instead of a path, and a model card that is written by itself.

The Hub's own client fetches and keeps them: its cache, its token (`hf auth login` or HF_TOKEN), its address (HF_ENDPOINT).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, EvalResult, HfApi, ModelCardData, constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from inceptions.errors import InceptionsError, MachineError, UsageError, WeightsError
from inceptions.network import from_architecture
from inceptions.weights.address import HUB, Repository
from inceptions.weights.card import Card
from inceptions.weights.checksum import Checksum
from inceptions.weights.store import BEST_WEIGHTS, load_state, locate, read_weights

# Ours first, then what timm and others call theirs.
FILES = (BEST_WEIGHTS, "model.safetensors")
LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN."

# Of the identifiers that the Hub knows, those that weights have; whatever else a card says becomes "other".
LICENCES = frozenset(
    {
        *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"),
        *("cc-by-nc-sa-4.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "unlicense", "openrail"),
    }
)


def server() -> str:
    """Address of the Hub, or of a mirror (HF_ENDPOINT)."""
    return os.environ.get("HF_ENDPOINT") or constants.ENDPOINT


def pull(address: str, *, files: Sequence[str] = FILES, instead: str | None = None, quiet: bool = False) -> Path:
    """A weight file from the Hub: from its client's cache, or fetched into it.

    Args:
        address: "hf:owner/name", with "/file" and "@revision" if need be.
        files: names to look for, the first that is there counts; an address that names a file needs none.
        instead: what to do if it cannot be fetched, as a sentence.
        quiet: show no progress on standard error.

    Raises:
        UsageError: it is no address on the Hub.
        WeightsError: there is no such repository, revision or file, or what came is not what the Hub says it is.
        MachineError: the Hub cannot be reached, or wants to know who asks.
    """
    repository = Repository.parse(address)
    wanted = (repository.file,) if repository.file else tuple(files)
    for file in wanted:
        try:
            found = Path(
                hf_hub_download(
                    repository.name,
                    file,
                    revision=repository.revision,
                    endpoint=server(),
                    tqdm_class=_Quiet if quiet else None,
                )
            )
        except LocalEntryNotFoundError as error:
            link = f"{server()}/{repository.name}/resolve/{repository.revision or 'main'}/{file}"
            raise MachineError(
                f"{address} is not in the cache {constants.HF_HUB_CACHE}, and {server()} cannot be reached. "
                + (instead or f"Fetch {link} elsewhere and name the file instead.")
            ) from error
        except EntryNotFoundError:
            continue
        except Exception as error:
            # The client lets through what its HTTP library raises, and which library that is depends on its version.
            raise _explained(address, error) from error
        _check(address, found)
        return found
    raise WeightsError(f"{address} holds no {' and no '.join(wanted)}. Name its weight file: {HUB}{repository.name}/FILE.")


def push_to_hub(
    weights: str | Path,
    repository: str,
    *,
    private: bool | None = None,
    message: str = "Upload weights with inceptions",
    token: str | None = None,
) -> str:
    """Put a weight file of ours on the Hub, with a model card that says what it is and how to use it.

    The repository is made if it is not there. Its weights and its README.md are replaced, in one commit.

    Args:
        weights: the file, or a run's folder (its best weights).
        repository: "hf:owner/name", or "hf:owner/name@branch" of a branch that is there.
        private: whether a new repository is; the Hub's default if None.
        message: of the commit.
        token: who you are there; the one you logged in with if None.

    Returns:
        The address of the commit.

    Raises:
        UsageError: it is no address of a repository.
        WeightsError: there is no such weight file, or it cannot be loaded.
        MachineError: the Hub cannot be reached, or does not let you.
    """
    target = Repository.parse(repository)
    if target.file is not None:
        raise UsageError(f"{repository!r} names a file; push to a repository: {HUB}{target.name}.")
    path = locate(Path(weights))
    tensors, card = read_weights(path)
    # What cannot be loaded shall not be published.
    load_state(from_architecture(card.declare(), device="cpu", fresh=False), tensors, str(path))
    api = HfApi(server(), token=token)
    try:
        api.create_repo(target.name, private=private, exist_ok=True)
        done = api.create_commit(
            target.name,
            [
                CommitOperationAdd(BEST_WEIGHTS, path),
                CommitOperationAdd("README.md", model_card(card, target.name).encode("utf-8")),
            ],
            commit_message=message,
            revision=target.revision,
        )
    except Exception as error:
        raise _explained(repository, error) from error
    return str(done.commit_url)


def model_card(card: Card, repository: str) -> str:
    """The README.md of a repository: front matter that the Hub reads, then the same for people.

    Args:
        card: what the weight file says about itself.
        repository: "owner/name".
    """
    architecture = card.declare()
    licence = None if card.licence is None else card.licence.lower()
    data = ModelCardData(
        license=licence if licence in LICENCES or licence is None else "other",
        license_name=None if licence in LICENCES or licence is None else licence,
        library_name="inceptions",
        pipeline_tag="image-classification",
        tags=["image-classification", "inception", card.architecture, "pytorch"],
        model_name=repository.partition("/")[2],
        eval_results=_scores(card.provenance) or None,
    )
    size = " × ".join(map(str, card.preprocess.size))
    lines = [
        "---",
        data.to_yaml(),
        "---",
        "",
        f"# {repository.partition('/')[2]}",
        "",
        f"{architecture.full_name}: {architecture.summary}. {len(card.classes):,} classes, images of {size} pixels.",
        "",
        "```python",
        "import inceptions",
        "",
        f'predictor = inceptions.load("{HUB}{repository}")',
        'print(predictor.predict("photo.jpg"))',
        "```",
        "",
        "The file holds its own preprocessing and the names of its classes:",
        "",
        *_fenced(card.preprocess.to_dict()),
        "",
        *_fenced(list(card.classes[:20])),
        "" if len(card.classes) <= 20 else f"\nand {len(card.classes) - 20:,} more.\n",
        "Where the weights come from:",
        "",
        *_fenced(dict(card.provenance)),
        "",
        f"Licence: {card.licence or 'not stated'}. Network: {architecture.source}.",
        "",
    ]
    return "\n".join(lines)


def _fenced(value: Any) -> list[str]:
    """As JSON in a block: names of folders cannot become markup in it."""
    return ["```json", json.dumps(value, indent=1, ensure_ascii=False).replace("```", "'''"), "```"]


def _scores(provenance: Any) -> list[EvalResult]:
    accuracy, data = provenance.get("validation_accuracy"), provenance.get("data")
    if not isinstance(accuracy, float) or not isinstance(data, str):
        return []
    return [
        EvalResult(
            task_type="image-classification",
            dataset_type=data,
            dataset_name=data,
            dataset_split="validation",
            metric_type="accuracy",
            metric_value=accuracy,
        )
    ]


def _check(address: str, path: Path) -> None:
    """The client names large files by the digest that the Hub states, but does not compare.

    Raises:
        WeightsError: the file has another one; it is removed from the cache.
    """
    kept = path.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", kept.name):
        return
    digest = Checksum("sha256", kept.name).of(kept)
    if digest != kept.name:
        kept.unlink()
        raise WeightsError(
            f"{address} came damaged: its sha256 is {digest}, the Hub says {kept.name}. It was removed; try again."
        )


def _explained(address: str, error: Exception) -> InceptionsError:
    """What the Hub's client raised, as a sentence."""
    code = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    match error:
        case InceptionsError():
            return error
        case GatedRepoError():
            return MachineError(f"{address} is only for those whom its owner lets in: ask on its page on the Hub. {LOG_IN}")
        case RepositoryNotFoundError():
            return WeightsError(f"There is no repository {address} on the Hub, or it is private. If it is yours: {LOG_IN}")
        case RevisionNotFoundError():
            return WeightsError(f"{address}: the repository has no such revision.")
        case HFValidationError():
            return UsageError(f"{address!r} is no address on the Hub: write hf:owner/name.")
        case LocalTokenNotFoundError():
            return MachineError(f"The Hub wants to know who you are. {LOG_IN}")
    if code in (401, 403):
        return MachineError(f"The Hub does not let you do that with {address} ({code}). {LOG_IN}")
    first = (str(error) or type(error).__name__).strip().splitlines()[0]
    return MachineError(f"The Hub ({server()}) could not be asked for {address}: {first}")


class _Quiet(tqdm):
    """A bar that nobody sees."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]
