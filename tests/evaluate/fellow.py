"""One of several processes that evaluate together: `command` runs in a process of its own, as `torchrun` would start it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def command(rank: int, size: int, port: int, words: list[str], out: Path) -> None:
    """`inceptions evaluate`; what it prints goes into files, and its exit code is the process's."""
    where = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in where.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    import torch

    from inceptions.cli import execute

    torch.set_num_threads(1)
    (out / f"rank-{rank}").mkdir(parents=True)
    with (
        (out / f"rank-{rank}" / "out").open("w") as said,
        (out / f"rank-{rank}" / "err").open("w") as told,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(told),
    ):
        try:
            code = execute(["evaluate", *words, "--device", "cpu", "--precision", "fp32", "--workers", "0"])
        except SystemExit as leaving:
            code = leaving.code
    sys.exit(code)
