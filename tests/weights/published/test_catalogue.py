"""The catalogue agrees with the libraries that publish, as they are installed here."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from inceptions.architecture import declare
from inceptions.cli import execute
from inceptions.errors import UsageError
from inceptions.weights import IMAGENET_MEAN, IMAGENET_STD
from inceptions.weights.published import PUBLISHED, Published, find, place, published
from inceptions.weights.source import resolve


@pytest.mark.parametrize("one", PUBLISHED, ids=lambda one: one.full_name)
def test_every_entry_is_consistent(one: Published) -> None:
    declare(one.network)
    assert find(one.tag, one.name) is one
    assert find(one.tag, one.network) is one
    assert find(one.full_name) is one
    assert place(one).name == one.file
    assert one.link.startswith(("http://", "https://"))
    assert one.link.endswith(f"/{one.file}")
    assert one.preprocess.size in ((160, 160), (224, 224), (299, 299))
    assert (one.outputs == 0) == (one.classes == "none")
    assert (one.member is None) == one.file.endswith((".pth", ".pt", ".h5", ".safetensors", ".caffemodel"))
    assert (one.top1 is None) == (one.top5 is None) == (one.scored_by is None)
    if one.checksum is not None:
        assert re.fullmatch(r"[0-9a-f]{8,96}", one.checksum.digest)
        digits = re.search(r"-([0-9a-f]{8,9})\.pth$", one.file)
        assert digits is None or one.checksum.digest.startswith(digits[1])
    json.dumps(one.to_dict())


def test_names_are_unique() -> None:
    assert len({one.full_name for one in PUBLISHED}) == len(PUBLISHED)
    assert len({one.link for one in PUBLISHED}) == len(PUBLISHED)


def test_torchvision_says_the_same() -> None:
    from torchvision.models import GoogLeNet_Weights, Inception_V3_Weights

    for name, weights in (("googlenet", GoogLeNet_Weights), ("inception_v3", Inception_V3_Weights)):
        (theirs,) = weights
        ours = find("torchvision_in1k", name)
        assert ours.address == theirs.url
        assert {"acc@1": ours.top1, "acc@5": ours.top5} == theirs.meta["_metrics"]["ImageNet-1K"]
        assert ours.outputs == len(theirs.meta["categories"])
        assert ours.size is None or ours.size / 2**20 == pytest.approx(theirs.meta["_file_size"], abs=1e-3)
        shown = theirs.transforms()
        assert ([ours.preprocess.resize_to], shown.interpolation.value) == (shown.resize_size, ours.preprocess.interpolation)
        # What goes into the network: theirs is normalised again inside (`transform_input`), which must give ours.
        for channel in range(3):
            seen = [((x - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]) for x in (0.0, 1.0)]
            inside = [x * (IMAGENET_STD[channel] / 0.5) + (IMAGENET_MEAN[channel] - 0.5) / 0.5 for x in seen]
            ours_there = [(x - ours.preprocess.mean[channel]) / ours.preprocess.std[channel] for x in (0.0, 1.0)]
            assert inside == pytest.approx(ours_there)


def test_timm_says_the_same() -> None:
    from timm.models import get_pretrained_cfg

    rows = [one for one in PUBLISHED if one.tag.startswith("timm_")]
    assert len(rows) == 7
    for one in rows:
        theirs = get_pretrained_cfg(f"{one.name}.{one.tag.removeprefix('timm_')}")
        assert one.hub == theirs.hf_hub_id
        assert (one.preprocess.mean, one.preprocess.std) == (theirs.mean, theirs.std)
        assert one.preprocess.interpolation == theirs.interpolation
        assert one.preprocess.resize_to == int(299 / theirs.crop_pct)
        assert (one.outputs, one.licence) == (theirs.num_classes, theirs.license)


@pytest.mark.parametrize(
    ("package", "file", "tags"),
    [
        ("facenet_pytorch", "models/inception_resnet_v1.py", ("facenet_vggface2", "facenet_casia_webface")),
        ("pytorch_fid", "inception.py", ("pytorch_fid",)),
        ("keras", "src/applications/inception_v3.py", ("keras_in1k", "keras_in1k_notop")),
        ("keras", "src/applications/inception_resnet_v2.py", ("keras_in1k", "keras_in1k_notop")),
    ],
)
def test_addresses_and_checksums_stand_in_their_sources(package: str, file: str, tags: tuple[str, ...]) -> None:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    # Long texts are broken in two there.
    source = re.sub(r'"\s*"', "", (Path(found.origin).parent / file).read_text())
    for tag in tags:
        ones = [one for one in PUBLISHED if one.tag == tag and (package != "keras" or Path(file).stem == one.name)]
        assert len(ones) == 1
        assert ones[0].file in source
        assert ones[0].address in source or package == "keras"
        assert package != "keras" or (ones[0].checksum is not None and ones[0].checksum.digest in source)


def test_what_is_not_published_is_said() -> None:
    with pytest.raises(UsageError, match=r"published weights of inception_v3 'timm_tf_in1'\. Did you mean 'timm_tf_in1k'\?"):
        find("timm_tf_in1", "inception_v3")
    with pytest.raises(UsageError, match=r"several networks; name one of: inception_v3\.timm_tf_in1k"):
        find("timm_tf_in1k")
    assert [one.tag for one in published("inception_v3/fid")] == ["pytorch_fid", "tensorflow_2015"]


def test_a_file_on_the_disk_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("torchvision_in1k").mkdir()
    assert resolve("torchvision_in1k", "googlenet") == (Path("torchvision_in1k"), None)
    assert resolve("absent.safetensors") == (Path("absent.safetensors"), None)
    with pytest.raises(UsageError, match="Unknown published weights of googlenet 'nothing'"):
        resolve("nothing", "googlenet")


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["models", "--weights"]) == 0
    text = capsys.readouterr().out
    assert all(one.full_name in text for one in PUBLISHED)
    assert max(map(len, text.splitlines())) < 140
    assert execute(["models", "--weights", "googlenet", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["tag"] for row in rows] == ["torchvision_in1k", "slim_in1k", "bvlc_in1k"]
    assert rows[0]["checksum"] == {"kind": "sha256 prefix", "digest": "1378be20"}
    assert rows[2]["licence"] == "unrestricted"
    assert execute(["models", "--weights", "googlenet.bvlc_in1k"]) == 0
    assert "sha1 405fc5acd08a3bb12de8ee5e23a96bec22f08204" in capsys.readouterr().out
    assert execute(["models", "--weights", "inception_v2"]) == 0
    assert capsys.readouterr().out == "Nobody published weights of inception_v2.\n"
    assert execute(["models", "--weights", "googlenet.nothing"]) == 2
    assert execute(["models", "--weights", "nothing"]) == 2
