"""Reads many damaged copies of files and says what became of them, as JSON. A script: it limits its own memory.

python mutate.py COUNT SEED SAMPLE...

COUNT copies of each SAMPLE, which may be a prefix of several files (a TensorFlow bundle): then one is damaged at a time.
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from inceptions.errors import WeightsError
from inceptions.weights.containers import Checkpoint, hdf5, read

MEMORY = 2**30  # beyond what the interpreter and torch have mapped already
SECONDS = 120  # for one file of a few thousand bytes, on a machine that is busy with other things
LENGTHS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)


class TooLong(BaseException):
    """A file took longer than it may; no handler of the reader may catch this."""


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One of six kinds of damage, half of them where the structure is: at the beginning and the end."""
    out = bytearray(data)
    place = rng.choice([rng.randrange(len(out)), rng.randrange(min(200, len(out))), -1 - rng.randrange(min(200, len(out)))])
    place %= len(out)
    match rng.randrange(6):
        case 0:  # flipped bits, anywhere
            for _ in range(rng.choice([1, 1, 2, 8])):
                out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        case 1:  # other bytes
            for i in range(place, min(place + rng.choice([1, 1, 2, 4]), len(out))):
                out[i] = rng.randrange(256)
        case 2:  # cut off
            del out[place:]
        case 3:  # another length
            width = rng.choice([1, 2, 4, 8])
            value = rng.choice(LENGTHS) % 2 ** (8 * width)
            out[place : place + width] = value.to_bytes(width, rng.choice(["little", "big"]))
        case 4:  # a piece put in or in place of another
            start = rng.randrange(len(out))
            piece = out[start : start + rng.choice([1, 4, 16, 64, 512])]
            out[place : place + (len(piece) if rng.random() < 0.5 else 0)] = piece
        case _:  # a piece left out
            del out[place : place + rng.choice([1, 2, 8, 64, 512])]
    return bytes(out)


def shape(checkpoint: Checkpoint) -> dict[str, object]:
    return {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in checkpoint.tensors.items()}


def values(checkpoint: Checkpoint) -> dict[str, bytes]:
    return {name: tensor.contiguous().numpy().tobytes() for name, tensor in checkpoint.tensors.items()}


@contextlib.contextmanager
def served(server: subprocess.Popen[bytes], folder: Path, path: Path, _: float):
    """In place of a process for every file: a server that forks one, which is a hundred times faster."""
    answer = folder / "answer"
    server.stdin.write(f"{path}\n{answer}\n".encode())
    server.stdin.flush()
    died = json.loads(server.stdout.readline())
    OUTCOMES["the HDF5 library died"] += died < 0
    with answer.open("rb") as stream:
        yield stream


OUTCOMES: Counter[str] = Counter()


def main(count: int, seed: int, samples: list[Path]) -> None:
    def too_long(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, too_long)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    reports = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, Path(__file__).with_name("hdf5_server.py")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            hdf5.answered = lambda path, seconds: served(server, folder, path, seconds)
            resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
            for sample in samples:
                OUTCOMES.clear()
                failures = damage(sample, folder, count, random.Random(seed))
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                reports.append({"outcomes": dict(OUTCOMES), "failures": failures, "peak_kib": peak})
            server.stdin.close()
    json.dump(reports, sys.stdout)


def damage(sample: Path, folder: Path, count: int, rng: random.Random) -> list[str]:
    """Read damaged copies of one sample; returns what went wrong, and counts the rest."""
    files = [sample] if sample.is_file() else sorted(sample.parent.glob(f"{sample.name}.*"))
    originals = {file.name: file.read_bytes() for file in files}
    whole = read(sample)
    expected, numbers = shape(whole), values(whole)
    where = folder / sample.name
    failures = []
    for i in range(count):
        victim = rng.choice(files).name
        for name, data in originals.items():
            (folder / name).write_bytes(mutated(data, rng) if name == victim else data)
        signal.alarm(SECONDS)
        try:
            found = read(where)
            OUTCOMES[outcome(found, expected, numbers)] += 1
        except WeightsError as error:
            named = str(error).startswith(str(where)) and str(error).endswith((".", "'"))
            OUTCOMES["refused" if named else "refused without saying what"] += 1
        except BaseException as error:
            kept = Path(tempfile.gettempdir(), f"mutant-{i}-{victim}")
            shutil.copy(folder / victim, kept)
            failures.append(f"{type(error).__name__}: {error} ({kept})")
        finally:
            signal.alarm(0)
    return failures


def outcome(found: Checkpoint, expected: dict[str, object], numbers: dict[str, bytes]) -> str:
    if shape(found) != expected:
        return "fewer tensors" if len(found.tensors) < len(expected) else "other names or shapes"
    return "the same" if values(found) == numbers else "other numbers"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
