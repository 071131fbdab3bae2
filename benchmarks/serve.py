"""How the service holds: `python -m benchmarks.serve WHAT WEIGHTS [PHOTOGRAPHS]`, asked from another process of the machine.

throughput  images a second through HTTP beside `Predictor.predict` on the same engine and files, in turns; answers compared
overload    ten times as many requests as it can answer: what is accepted, how long that takes, what is refused, memory, health
soak        memory over many small images
random      requests that mean nothing: does any of them make it fail?

The one who asks needs a share of the cores too, so the figures are lower bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import json
import os
import random
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.service import Asker, Served, serving, watch
from inceptions import load
from inceptions.data import find_images
from inceptions.predict import Prediction, Predictor

# A probability's: float32 of another size of batch, and what an engine computes in half as many bits.
TOLERANCE, COARSE = 1e-3, 1e-2
EDGES = (b"", b"\x00", b"GIF89a", b"\xff\xd8\xff", b"<svg/>", b"--b\r\n\r\n--b--", b"{}", b"%PDF-1.7", b"PK\x03\x04")
PATHS = (
    "/v1/predict",
    "/v1/explain",
    "/v1/models",
    "/v1/architecture",
    "/v1/architecture/diagram",
    "/readyz",
    "/",
    "/metrics",
    "/x",
)
VALUES = (
    "",
    "main",
    "best",
    "aux_4a",
    "0",
    "1",
    "-1",
    "1e9",
    "png",
    "json",
    "../..",
    "%00",
    "%F0%9F%90%88",
    "a" * 300,
    "mixed_5b",
)
KINDS = ("image/png", "image/jpeg", "application/octet-stream", "multipart/form-data; boundary=b", "application/json", "", "x")


def contents(folder: Path, count: int) -> list[bytes]:
    """Files to ask about."""
    return [path.read_bytes() for path in find_images(folder)[:count]]


@dataclass(frozen=True)
class Direct:
    """What the predictor says without a service between, and how near its probabilities another size of batch comes."""

    predictions: list[Prediction]
    tolerance: float

    def agrees(self, i: int, answer: bytes) -> bool:
        """Whether an answer is the direct prediction: the class, unless two are as good as equal, and its probability."""
        best, direct = json.loads(answer)["results"][0]["top"][0], self.predictions[i]
        close = abs(best["probability"] - direct.probability) < self.tolerance
        return close and (best["class"] == direct.label or direct.top[1].probability > direct.probability - self.tolerance)


def asked(weights: Path, files: list[bytes], options: list[str]) -> tuple[Predictor, Direct]:
    """A predictor on the engine that the service is told to take, and its answers."""
    given = dict(pairwise(options))
    engine = {name: given[f"--{name}"] for name in ("engine", "precision") if f"--{name}" in given}
    predictor = load(weights, batch=8, **engine)
    return predictor, Direct(predictor.predict(files, top=2), COARSE if engine else TOLERANCE)


async def all_at_once(served: Served, images: list[bytes], direct: Direct, connections: int) -> float:
    """Images a second with so many requests in flight; every answer is compared."""
    askers, waiting = [served.asker() for _ in range(connections)], iter(range(len(images)))

    async def work(asker: Asker) -> None:
        for i in waiting:
            status, answer = await asker.ask("/v1/predict?top=2", images[i])
            assert status == 200, answer
            assert direct.agrees(i, answer), (answer, direct.predictions[i])

    before = time.perf_counter()
    await asyncio.gather(*(work(asker) for asker in askers))
    took = time.perf_counter() - before
    for asker in askers:
        asker.close()
    return len(images) / took


def throughput(weights: Path, photographs: Path, *, images: int, rounds: int, connections: int, options: list[str]) -> None:
    """HTTP beside the bare predictor on the same engine, in turns."""
    files = contents(photographs, images)
    predictor, direct = asked(weights, files, options)
    rows = []
    with serving(weights, *options) as served:
        asyncio.run(all_at_once(served, files[:16], direct, 8))
        for _ in range(rounds):
            before = time.perf_counter()
            predictor.predict(files, top=2)
            alone = len(files) / (time.perf_counter() - before)
            over = asyncio.run(all_at_once(served, files, direct, connections))
            rows.append((alone, over, over / alone))
            print(f"bare {alone:7.1f} images/s   HTTP {over:7.1f} images/s   ratio {over / alone:.3f}", flush=True)
    print(f"median ratio {statistics.median(row[2] for row in rows):.3f} over {rounds} rounds of {len(files)} images")


def overload(weights: Path, photographs: Path, *, seconds: float, factor: float, options: list[str]) -> None:
    """Many times what it can answer."""
    files = contents(photographs, 64)
    _, direct = asked(weights, files, options)
    with serving(weights, "--client-requests", "1000", *options) as served:
        capacity = asyncio.run(all_at_once(served, files, direct, 32))
        print(f"capacity {capacity:.1f} images/s; offered {factor * capacity:.0f} a second for {seconds:.0f} s", flush=True)
        # A process of its own: the one who floods is as late as the service, and would find that in what it measures.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as watcher:
            watched = watcher.submit(watch, served, seconds)
            print(asyncio.run(flood(served, files, direct, rate=factor * capacity, seconds=seconds)))
            health, memory = watched.result()
    middle = len(memory) // 2
    print(f"/healthz {spread(health)}")
    print(f"memory at most {max(memory[:middle]):.0f} MiB in the first half, {max(memory[middle:]):.0f} MiB in the second")


async def flood(served: Served, files: list[bytes], direct: Direct, *, rate: float, seconds: float) -> str:
    """Offer requests at a rate, whether or not they are answered."""
    statuses: Counter[int] = Counter()
    accepted: list[float] = []
    free: list[Asker] = []
    wrong = 0
    began = time.perf_counter()

    async def one(i: int) -> None:
        nonlocal wrong
        asker = free.pop() if free else served.asker()
        before = time.perf_counter()
        status, answer = await asker.ask("/v1/predict?top=2", files[i])
        statuses[status] += 1
        if status == 200:
            accepted.append(time.perf_counter() - before)
            wrong += not direct.agrees(i, answer)
        free.append(asker)

    gc.freeze()  # or its own collections would hold requests back, and then let a crowd of them go at once
    tasks = []
    sent = 0
    while (now := time.perf_counter() - began) < seconds:
        while sent < now * rate:
            tasks.append(asyncio.create_task(one(sent % len(files))))
            sent += 1
        await asyncio.sleep(0.005)
    await asyncio.gather(*tasks)
    gc.unfreeze()
    answered = sum(statuses.values()) - statuses[0]
    return "\n".join(
        [
            f"sent {sent}, answered {answered}, lost {statuses[0]}, wrong {wrong}; by status {dict(statuses)}",
            f"accepted {statuses[200] / seconds:.1f} a second; {spread(accepted)}",
        ]
    )


def spread(seconds: list[float]) -> str:
    """How long something took."""
    if not seconds:
        return "none"
    p50, p99 = 1000 * np.quantile(seconds, (0.5, 0.99))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {1000 * max(seconds):.1f} ms"


def soak(weights: Path, *, images: int, options: list[str]) -> None:
    """Memory over many small images: least squares, over all but the first fifth and over the second half."""
    bodies = [small(i) for i in range(64)]

    async def ask(served: Served) -> list[tuple[int, float]]:
        rows: list[tuple[int, float]] = []
        done = 0
        waiting = iter(range(images))

        async def work(asker: Asker) -> None:
            nonlocal done
            for i in waiting:
                status, answer = await asker.ask("/v1/predict", bodies[i % len(bodies)])
                assert status == 200, answer
                done += 1
                if done % max(1, images // 100) == 0:
                    rows.append((done, served.memory()))
                    print(f"\r{done} images, {rows[-1][1]:.1f} MiB   ", end="", file=sys.stderr, flush=True)

        await asyncio.gather(*(work(served.asker()) for _ in range(16)))
        return rows

    with serving(weights, *options) as served:
        before = time.perf_counter()
        rows = asyncio.run(ask(served))
        took = time.perf_counter() - before
    print(f"\n{images} images at {images / took:.0f} a second; {rows[0][1]:.1f} MiB after a hundredth")
    # Pools and caches fill for a while; what grows for ever grows in the second half too.
    for name, some in (("from a fifth on", rows[len(rows) // 5 :]), ("second half", rows[len(rows) // 2 :])):
        counted, memory = np.array(some).T
        (slope, _), covariance = np.polyfit(counted, memory, 1, cov=True)
        print(
            f"{name}: {memory[0]:.2f} to {memory[-1]:.2f} MiB, slope {slope * 1e5:+.3f} "
            f"± {1.96 * covariance[0, 0] ** 0.5 * 1e5:.3f} MiB for 100,000 images"
        )


def random_requests(weights: Path, *, seconds: float, seed: int, options: list[str]) -> None:
    """Requests that mean nothing, and images with bytes changed."""
    chance = random.Random(seed)

    async def ask(served: Served) -> Counter[tuple[str, int]]:
        found: Counter[tuple[str, int]] = Counter()
        until = time.perf_counter() + seconds

        async def work() -> None:
            asker = served.asker()
            while time.perf_counter() < until:
                path = chance.choice(PATHS)
                names = chance.sample(("model", "top", "head", "class", "tap", "module", "form"), chance.randrange(4))
                query = "&".join(f"{name}={chance.choice(VALUES)}" for name in names)
                method = chance.choices(("POST", "GET", "PUT", "HEAD"), (12, 5, 1, 1))[0]
                target = f"{path}?{query}" if query else path
                status, answer = await asker.ask(target, mangled(chance), method=method, kind=chance.choice(KINDS))
                found[path if path in PATHS else "other", status] += 1
                if status >= 500 and status != 503:
                    print(method, target, answer, file=sys.stderr)

        await asyncio.gather(*(work() for _ in range(8)))
        return found

    with serving(weights, *options) as served:
        found = asyncio.run(ask(served))
        print(f"memory at the end {served.memory():.0f} MiB")
    statuses: Counter[int] = Counter()
    for (_, status), count in found.items():
        statuses[status] += count
    print(f"{sum(statuses.values())} requests in {seconds:.0f} s: {dict(sorted(statuses.items()))}")
    print("none failed" if not statuses[500] else f"{statuses[500]} FAILED")


def mangled(chance: random.Random) -> bytes:
    """An image, damaged or whole; or nothing like one; in a form or not."""
    body = bytearray(small(chance.randrange(64)) if chance.random() < 0.7 else chance.choice(EDGES))
    for _ in range(chance.choice((0, 0, 1, 5, 50))):
        if body:
            body[chance.randrange(len(body))] = chance.randrange(256)
    if chance.random() < 0.2:
        body = body[: chance.randrange(len(body) + 1)]
    if chance.random() < 0.3:
        name = chance.choice(("a.png", "../x", "\\r\\n", "\u00e9"))
        body = (
            f'--b\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode() + body + b"\r\n--b--\r\n"
        )
    return bytes(body)


def small(seed: int) -> bytes:
    """A photograph of 48 pixels, the same for equal seeds."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    content = io.BytesIO()
    kind = ("JPEG", "PNG", "WEBP", "GIF")[seed % 4]
    Image.fromarray(noise).resize((48, 48), Image.Resampling.BICUBIC).save(content, kind)
    return content.getvalue()


def main() -> int:
    """Measure what was asked for. What stands behind `--` goes to `inceptions serve`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("throughput", "overload", "soak", "random"))
    parser.add_argument("weights", type=Path)
    parser.add_argument("photographs", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=None, help="throughput: 256; soak: 100000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=None, help="overload: 60; random: 600")
    parser.add_argument("--factor", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    here, options = sys.argv[1:], []
    if "--" in here:
        here, options = here[: here.index("--")], here[here.index("--") + 1 :]
    given = parser.parse_args(here)
    if given.what in ("throughput", "overload") and given.photographs is None:
        parser.error(f"{given.what} needs a folder of photographs")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    match given.what:
        case "throughput":
            throughput(
                given.weights,
                given.photographs,
                images=given.images or 256,
                rounds=given.rounds,
                connections=given.connections,
                options=options,
            )
        case "overload":
            overload(given.weights, given.photographs, seconds=given.seconds or 60, factor=given.factor, options=options)
        case "soak":
            soak(given.weights, images=given.images or 100_000, options=options)
        case "random":
            random_requests(given.weights, seconds=given.seconds or 600, seed=given.seed, options=options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
