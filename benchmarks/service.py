"""A service in a process of its own, and connections to it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Asker:
    """One connection to the service, opened again when it was closed."""

    host: str
    port: int
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, target: str, body: bytes = b"", *, method: str = "POST", kind: str = "image/jpeg") -> tuple[int, bytes]:
        """Status and body; status 0 where the connection was closed without an answer."""
        fresh = self.streams is None
        try:
            if self.streams is None:
                self.streams = await asyncio.open_connection(self.host, self.port)
            reader, writer = self.streams
            head = (
                f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\nContent-Type: {kind}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            answer = await reader.readexactly(int(headers.get("content-length", 0))) if method != "HEAD" else b""
            if headers.get("connection") == "close":
                self.close()
            return int(lines[0].split()[1]), answer
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return (0, b"") if fresh else await self.ask(target, body, method=method, kind=kind)

    def close(self) -> None:
        """Forget the connection."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


@dataclass
class Served:
    """A service in a process of its own."""

    address: str
    pid: int

    def asker(self) -> Asker:
        """A connection to it."""
        parts = urlsplit(self.address)
        return Asker(parts.hostname or "", parts.port or 0)

    def memory(self) -> float:
        """Its resident memory in MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@contextmanager
def serving(weights: Path, *options: str) -> Iterator[Served]:
    """Start `inceptions serve`, and end it as a supervisor would."""
    words = [sys.executable, "-m", "inceptions", "serve", f"model={weights}", "--port", "0", "--json", "--quiet", *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        text = ""
        assert process.stdout is not None
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            if not line:
                sys.exit("The service did not start.")
            text += line
        document = json.loads(text)
        yield Served(document["address"], document["pid"])
    finally:
        process.terminate()
        print(f"it left with {process.wait(60)}")


def watch(served: Served, seconds: float) -> tuple[list[float], list[float]]:
    """Ask /healthz four times a second; seconds until each answer, and the service's memory in MiB at the time."""
    health, memory = [], []

    async def ask() -> None:
        asker, began = served.asker(), time.perf_counter()
        while time.perf_counter() - began < seconds:
            before = time.perf_counter()
            status, _ = await asker.ask("/healthz", method="GET")
            assert status == 200, status
            health.append(time.perf_counter() - before)
            memory.append(served.memory())
            await asyncio.sleep(0.25)

    asyncio.run(ask())
    return health, memory
