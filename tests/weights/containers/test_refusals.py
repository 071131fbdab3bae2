"""What is no file of weights, damaged or hostile is named and refused: before it costs memory, and without running it."""

from __future__ import annotations

import io
import json
import os
import pickle
import shlex
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from inceptions.errors import MachineError, WeightsError
from inceptions.weights.containers import hdf5 as hdf5_reader
from inceptions.weights.containers import read
from inceptions.weights.containers.protobuf import encode, encode_varint


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.endswith((".", "'"))
    return message


# --- things that are no weights


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n <!DOCTYPE html><title>404</title>", "is a web page, not a checkpoint: the download got an error page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS"),
        (b'{"error": "not found", "status": 404, "detail": ""}', "is a JSON text"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "is a gzip archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is a picture"),
        (b"name: 'GoogleNet'\ninput: 'data'\n", "is a text (name: 'GoogleNet' ...)"),
        (bytes(4) + b"TFL3" + bytes(100), "is a TensorFlow Lite model"),
        (bytes(500), "is of no format that is known here"),
        (struct.pack("<QQ", 0x112, 0) + bytes(50), "is a file of MXNet"),
        (pickle.dumps([1, 2]), "is a pickle that torch.save did not write"),
    ],
)
def test_things_that_are_no_weights(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "model.pth").write_bytes(content)
    assert says in refusal(tmp_path / "model.pth")


def test_archives_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "a.txt", "a.txt")
    assert "is a tar archive" in refusal(tmp_path / "a.tar")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.txt", "a.txt")
    assert "is a zip archive with a.txt in it" in refusal(tmp_path / "a.zip")


def test_places_that_are_no_files(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing.pth")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    assert "variables.index" in refusal(tmp_path)
    assert "is the graph of a SavedModel" in refusal(tmp_path / "saved_model.pb")
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in refusal(tmp_path / "pipe")


def test_a_checkpoint_without_its_other_half(tmp_path: Path, samples: dict[str, Path]) -> None:
    source = samples["tensorflow-v2"].parent
    data = tmp_path / "v2.ckpt.data-00000-of-00001"
    data.write_bytes((source / data.name).read_bytes())
    assert "without its index" in refusal(data)
    data.unlink()
    (tmp_path / "v2.ckpt.index").write_bytes((source / "v2.ckpt.index").read_bytes())
    assert f"needs {data.name}, which is not beside it" in refusal(tmp_path / "v2.ckpt.index")


def test_no_tensors(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    assert "holds no tensors" in refusal(tmp_path / "a.pth")
    torch.save(torch.ones(2), tmp_path / "b.pth")
    assert "holds one tensor without a name" in refusal(tmp_path / "b.pth")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_files_that_are_cut_off(tmp_path: Path, samples: dict[str, Path], part: float) -> None:
    for name, path in samples.items():
        if path.is_file():
            data = path.read_bytes()
            cut = tmp_path / f"{name}{path.suffix}"
            cut.write_bytes(data[: int(part * len(data))])
            refusal(cut)


# --- pickles that want to run something


class Attack:
    """A pickle that would leave a file behind."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("function", ["posix.system", "builtins.eval", "builtins.exec", "builtins.getattr"])
def test_pickles_that_execute(tmp_path: Path, zipped: bool, function: str) -> None:
    module, _, name = function.rpartition(".")
    argument = f"touch {tmp_path / 'owned'}" if name == "system" else f"open({str(tmp_path / 'owned')!r}, 'w')"
    bad = Attack(getattr(__import__(module), name), argument)
    torch.save({"state_dict": {"w": torch.ones(2)}, "args": bad}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(tmp_path / "a.pth")
    assert f"wants to run {function.replace('builtins', '__builtin__')}" in message or f"wants to run {function}" in message
    assert "nothing of it was run" in message
    assert "python -c" in message
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_bare_pickles_that_execute(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a.pth").write_bytes(pickle.dumps(Attack(os.system, f"touch {tmp_path / 'owned'}"), protocol))
    refusal(tmp_path / "a.pth")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_whole_networks_are_refused_and_the_advice_works(tmp_path: Path, zipped: bool) -> None:
    network = torch.nn.Linear(2, 3)
    torch.save(network, tmp_path / "it's.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(tmp_path / "it's.pth")
    assert "wants to run torch.nn.modules.linear.Linear" in message or "torch.nn.modules.linear.Linear" in message
    if zipped:
        *_, program = shlex.split(message[message.index("python -c") :])
        exec(program, {})
        assert torch.equal(read(tmp_path / "it's.pth.safetensors").tensors["weight"], network.weight)


def test_programs_are_refused(tmp_path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(torch.nn.Linear(2, 3), torch.ones(1, 2)).save(tmp_path / "a.pt")
    assert "is a TorchScript program" in refusal(tmp_path / "a.pt")


def checkpoint(path: Path, program: bytes, **records: bytes) -> Path:
    """A file of torch with a pickle of one's own."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", program)
        archive.writestr("a/version", "3\n")
        for name, data in records.items():
            archive.writestr(f"a/data/{name[1:]}", data)
    return path


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"


def storage(count: int) -> bytes:
    return b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuJ" + struct.pack("<i", count) + b"tQ"


def tensor(count: int, size: int, stride: int) -> bytes:
    numbers = (b"J" + struct.pack("<i", number) + b"\x85" for number in (size, stride))
    return TENSOR + b"(" + storage(count) + b"K\0" + b"".join(numbers) + b"\x89ccollections\nOrderedDict\n)RtR"


def dictionary(value: bytes) -> bytes:
    return b"\x80\2}X\1\0\0\0w" + value + b"s."


def test_pickles_of_ones_own(tmp_path: Path) -> None:
    # The same by hand as torch writes, so that what follows fails for the reason it is meant to.
    path = checkpoint(tmp_path / "a.pth", dictionary(tensor(2, 2, 1)), r0=struct.pack("<ff", 1, 2))
    assert read(path).tensors["w"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (tensor(2, 2**30, 1), "tensor of [1073741824] numbers in a space of 2"),
        (tensor(2, 2**30, 0), "tensor of [1073741824] numbers in a space of 2"),
        (tensor(2, 2, 2**30), "tensor of [2] numbers in a space of 2"),
        (tensor(2**30, 2, 1), "says that a/data/0 has 4,294,967,296 bytes, and holds 8"),
        (tensor(-1, 2, 1), "it is damaged"),
        (b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R", "wants to run __builtin__.bytearray"),
        (b"ctorch\nTensor\nJ\xff\xff\xff\x7f\x85R", "wants to run torch.Tensor"),
        (b"c__builtin__\nset\n" + tensor(2, 2, 1) + b"\x85R", "it is damaged"),
        (b"ccollections\nCounter\n" + tensor(2, 2, 1) + b"\x85R", "it is damaged"),
        (tensor(2, 2, 1) + b"}b", "sets the inside of an object"),
        (b"\x8c\2os\x8c\6system\x93\x8c\4true\x85R", "wants to run os.system"),
        (b"(ios\nsystem\n", "wants to run os.system"),
        (b"X\xff\xff\xff\xffab", "it is damaged"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fab", "it is damaged"),
        (b"(" * 1000, "it is damaged"),
        (b"r\xff\xff\xff\xff", "it is damaged"),
        (b"h\x07", "it is damaged"),
    ],
)
def test_pickles_that_want_more_than_they_have(tmp_path: Path, program: bytes, says: str) -> None:
    assert says in refusal(checkpoint(tmp_path / "a.pth", dictionary(program), r0=bytes(8)))


def test_old_files_that_claim_too_much(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    data = (tmp_path / "a.pth").read_bytes()
    place = data.index(b"cpu") + 5
    assert data[place : place + 2] == b"K\2"
    (tmp_path / "a.pth").write_bytes(data[:place] + b"J\xff\xff\xff\x7f" + data[place + 2 :])
    assert "says that it holds 8,589,934,588 bytes" in refusal(tmp_path / "a.pth")


# --- zip archives


def test_zip_bombs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("w.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (2**24,)})
        for _ in range(64):
            file.write(bytes(2**20))
    assert "zip bomb" in refusal(tmp_path / "a.npz")
    torch.save({"w": torch.zeros(1000)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as old, zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert "is compressed; torch never does that" in refusal(tmp_path / "a.pth")


def test_members_on_top_of_each_other(tmp_path: Path) -> None:
    """Many entries in the list for the same bytes: small file, large content."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("w.npy", bytes(100_000))
        for i in range(100):
            twin = zipfile.ZipInfo(f"w{i}.npy")
            twin.file_size = twin.compress_size = 100_000
            twin.CRC, twin.header_offset = archive.infolist()[0].CRC, 0
            archive.filelist.append(twin)
        archive._didModify = True
    assert "members are larger than its" in refusal(tmp_path / "a.npz")


def test_members_that_a_damaged_list_leaves_out(tmp_path: Path, samples: dict[str, Path]) -> None:
    """Python's reader takes a list that begins too late for one without its first members."""
    data = bytearray(samples["numpy"].read_bytes())
    end = data.rindex(b"PK\5\6")
    (size,) = struct.unpack_from("<I", data, end + 12)
    (start,) = struct.unpack_from("<I", data, end + 16)
    first = data.index(b"PK\1\2", start + 4) - start
    struct.pack_into("<I", data, end + 12, size - first)
    (tmp_path / "a.npz").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "a.npz")


# --- arrays of NumPy


def test_arrays_of_objects_and_absurd_ones(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "objects, which would be pickles" in refusal(tmp_path / "a.npy")
    for shape, says in (((2**40, 2), "and holds"), ((-1,), "shape [-1]"), ((1,) * 40, "shape [1, 1, 1"), ((2**62,), "shape")):
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            file.write(bytes(8))
        assert says in refusal(tmp_path / "a.npy")


# --- safetensors


def header(path: Path, entries: dict[str, object], data: bytes) -> Path:
    text = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(start: int, end: int, shape: list[int]) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "entries",
    [
        {"a": entry(0, 8, [2]), "b": entry(4, 12, [2])},
        {"a": entry(0, 12, [3]), "b": entry(0, 12, [3])},
        {"a": entry(0, 4, [1]), "b": entry(8, 12, [1])},
        {"a": entry(0, 2**40, [2**38])},
        {"a": entry(0, 12, [2**62, 4])},
        {"a": entry(8, 4, [1])},
        {"a": entry(0, 8, [2])},
        {"a": {"dtype": "F31", "shape": [3], "data_offsets": [0, 12]}},
    ],
    ids=["overlap", "twins", "hole", "beyond", "overflow", "backwards", "left over", "type"],
)
def test_safetensors_with_other_bytes_than_they_say(tmp_path: Path, entries: dict[str, object]) -> None:
    refusal(header(tmp_path / "a.safetensors", entries, bytes(12)))


def test_safetensors_with_absurd_headers(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}" + bytes(100))
    assert "cut off" in refusal(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", 90_001) + b"{" * 90_000 + b" ")
    assert "not JSON" in refusal(tmp_path / "a.safetensors")
    save_file({"w": torch.ones(2)}, tmp_path / "b.safetensors")
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "b.safetensors").read_bytes() + b"more")
    refusal(tmp_path / "b.safetensors")


# --- HDF5


def test_hdf5_links_are_not_followed(tmp_path: Path, hdf5: h5py.File) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["w"] = np.ones(3)
    hdf5["conv/kernel"] = h5py.ExternalLink("secret.h5", "w")
    hdf5.close()
    assert "has a link at conv/kernel to another place or file" in refusal(tmp_path / "odd.h5")


def test_hdf5_arrays_that_are_elsewhere(tmp_path: Path, hdf5: h5py.File) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["w"] = np.ones(3)
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "w", (3,))
    hdf5.create_virtual_dataset("conv/kernel", layout)
    hdf5.close()
    assert "keeps conv/kernel in another file" in refusal(tmp_path / "odd.h5")


def test_hdf5_arrays_in_other_files(tmp_path: Path, hdf5: h5py.File) -> None:
    (tmp_path / "secret").write_bytes(bytes(24))
    hdf5.create_dataset("conv/kernel", (3,), "f8", external=[(str(tmp_path / "secret"), 0, 24)])
    hdf5.close()
    assert "keeps conv/kernel in another file" in refusal(tmp_path / "odd.h5")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shape": (2**20, 2**20), "dtype": "f4", "chunks": (1, 1)}, "does not hold that many numbers"),
        ({"data": np.zeros((100, 100)), "compression": "gzip"}, "compressed or filtered"),
        ({"data": np.zeros(4, "c16")}, "no type of weights"),
    ],
)
def test_hdf5_arrays_that_are_odd(tmp_path: Path, hdf5: h5py.File, options: dict[str, object], says: str) -> None:
    hdf5.create_dataset("conv/kernel", **options)
    hdf5.close()
    assert says in refusal(tmp_path / "odd.h5")


def test_hdf5_circles_and_other_peoples_files(tmp_path: Path, hdf5: h5py.File) -> None:
    hdf5["conv/kernel"] = np.ones(2)
    hdf5["conv/again"] = hdf5["/"]
    hdf5.flush()
    assert "has conv/again in two places" in refusal(tmp_path / "odd.h5")
    del hdf5["conv/again"]
    hdf5["conv/more"] = np.ones(2)
    hdf5.flush()
    assert "holds conv/more, which no layer lists" in refusal(tmp_path / "odd.h5")
    del hdf5.attrs["layer_names"]
    hdf5.close()
    assert "not one of Keras" in refusal(tmp_path / "odd.h5")


def test_the_process_that_reads_hdf5_may_die(samples: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text("import os\nos.abort()")
    monkeypatch.setattr(hdf5_reader, "CHILD", tmp_path / "child.py")
    with pytest.raises(WeightsError, match="the HDF5 library broke down over it"):
        read(samples["keras-h5"])
    (tmp_path / "child.py").write_text("while True: pass")
    monkeypatch.setattr(hdf5_reader, "SECONDS", 0.5)
    with pytest.raises(WeightsError, match="the HDF5 library broke down over it"):
        read(samples["keras-h5"])


def test_keras_without_h5py(samples: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_reader, "find_spec", lambda _: None)
    with pytest.raises(MachineError, match=r"pip install 'inceptions\[keras\]'"):
        read(samples["keras-h5"])


# --- protocol buffers


def test_absurd_lengths(tmp_path: Path) -> None:
    absurd = encode_varint(2**63 - 1)
    for name, content in {
        "a.caffemodel": encode(1, "net") + encode_varint(100 << 3 | 2) + absurd + b"abc",
        "b.caffemodel": encode(1, "net") + encode(100, encode(1, "a") + encode(7, encode(7, encode(1, encode_varint(2**62))))),
        "a.onnx": encode(1, 8) + encode(7, b"\x2a" + absurd + b"abc"),
        "b.onnx": encode(1, 8) + encode(7, encode(5, encode(1, 2**40) + encode(1, 2**40) + encode(2, 1) + encode(8, "w"))),
        "a.pb": b"\x0a" + absurd + b"abc",
        "c.onnx": encode(1, 8) + encode(7, b"\x2b" * 100_000),
        "d.onnx": encode(1, 8) + encode(7, b"\x80" * 100_000),
    }.items():
        (tmp_path / name).write_bytes(content)
        refusal(tmp_path / name)


def test_graphs_that_repeat_one_number_for_ever(tmp_path: Path) -> None:
    def constant(name: str) -> bytes:
        tensor = encode(1, 1) + encode(2, encode(2, encode(1, 2**22))) + b"\x2d" + struct.pack("<f", 1)
        attribute = encode(1, "value") + encode(2, encode(8, tensor))
        return encode(1, encode(1, name) + encode(2, "Const") + encode(5, attribute))

    (tmp_path / "a.pb").write_bytes(constant("a"))
    assert read(tmp_path / "a.pb").tensors["a"].numel() == 2**22
    (tmp_path / "b.pb").write_bytes(b"".join(constant(f"c{i}") for i in range(1000)))
    assert "more than its size allows" in refusal(tmp_path / "b.pb")


def test_quantised_graphs(tmp_path: Path) -> None:
    for kind, says in ((12, "type 12, which is no type of weights"), (7, "holds no tensors")):
        attribute = encode(1, "value") + encode(2, encode(8, encode(1, kind) + encode(2, b"")))
        node = encode(1, "w") + encode(2, "Const") + encode(5, attribute)
        (tmp_path / "a.pb").write_bytes(encode(1, node))
        assert says in refusal(tmp_path / "a.pb")


def test_graphs_without_their_values(tmp_path: Path) -> None:
    (tmp_path / "a.pb").write_bytes(encode(1, encode(1, "w") + encode(2, "VariableV2")))
    assert "is a graph that is not frozen" in refusal(tmp_path / "a.pb")


@pytest.mark.parametrize("where", ["../secret", "/etc/passwd", "in/../../secret", "link", ""])
def test_onnx_does_not_leave_its_folder(tmp_path: Path, where: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(8))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "secret")
    outside = encode(13, encode(1, "location") + encode(2, where))
    weight = encode(1, 2) + encode(2, 1) + encode(8, "w") + outside + encode(14, 1)
    (tmp_path / "folder" / "a.onnx").write_bytes(encode(1, 8) + encode(7, encode(5, weight)))
    assert "outside its own folder" in refusal(tmp_path / "folder" / "a.onnx")


# --- tables of TensorFlow


def test_checksums_of_tensorflow(tmp_path: Path, samples: dict[str, Path]) -> None:
    source = samples["tensorflow-v2"].parent
    for name in ("v2.ckpt.index", "v2.ckpt.data-00000-of-00001"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    data = bytearray((tmp_path / name).read_bytes())
    data[20] ^= 1
    (tmp_path / name).write_bytes(data)
    assert "the checksum of InceptionV1/Conv2d_1a_7x7/weights in" in refusal(tmp_path / "v2.ckpt")
    old = bytearray((source / "v1.ckpt").read_bytes())
    old[300] ^= 1
    (tmp_path / "v1.ckpt").write_bytes(old)
    assert "the checksum of the block at byte 0 is wrong" in refusal(tmp_path / "v1.ckpt")


def test_compressed_blocks(tmp_path: Path, samples: dict[str, Path]) -> None:
    from inceptions.weights.containers import sstable

    table = bytearray(sstable.table([(b"", b"x")]))
    end = table.index(b"\0", 11)  # the kind of the first block, behind its 4 bytes of restarts
    length = 3 + 1 + 8
    table[length] = 1
    table[length + 1 : length + 5] = struct.pack("<I", sstable.masked(bytes(table[: length + 1])))
    assert end
    (tmp_path / "a.ckpt").write_bytes(table)
    assert "compressed with Snappy" in refusal(tmp_path / "a.ckpt")


@pytest.mark.slow
def test_nothing_here_needed_more_memory_than_it_should(tmp_path: Path) -> None:
    """The worst of the above once more, in a process that may take little."""
    checkpoint(tmp_path / "a.pth", dictionary(tensor(2, 2**30, 1)), r0=bytes(8))
    checkpoint(tmp_path / "b.pth", dictionary(b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R"), r0=bytes(8))
    with (tmp_path / "c.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (2**33,)})
    (tmp_path / "d.onnx").write_bytes(encode(1, 8) + encode(7, b"\x2a" + encode_varint(2**40)))
    header(tmp_path / "e.safetensors", {"a": entry(0, 2**36, [2**34])}, bytes(12))
    torch.save({"w": torch.ones(2)}, tmp_path / "f.pth", _use_new_zipfile_serialization=False)
    data = (tmp_path / "f.pth").read_bytes()
    place = data.index(b"cpu") + 5
    (tmp_path / "f.pth").write_bytes(data[:place] + b"X\xff\xff\xff\xff" + data[place + 2 :])
    program = (
        "import resource, sys; from pathlib import Path; from inceptions.weights.containers import read\n"
        "now = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize() + 2**28\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now, now))\n"
        "for path in sys.argv[1:]:\n"
        "    try: read(Path(path))\n"
        "    except ValueError as error: print(type(error).__name__)\n"
    )
    paths = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["WeightsError"] * 6


def test_io_is_the_systems_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pth").write_bytes(b"x")

    def refuse(*_: object, **__: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(WeightsError, match="cannot be read: Permission denied"):
        read(tmp_path / "a.pth")
