"""`inceptions serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from inceptions.cli.options import Engine, EnginePrecision, Flag, Whole
from inceptions.console import show


def serve(
    weights: Annotated[tuple[str, ...], Parameter(name="[NAME=]WEIGHTS…")],
    /,
    *,
    host: str = "127.0.0.1",
    port: Whole = 8000,
    api_key_file: Path | None = None,
    allow_host: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    batch: Whole | None = None,
    wait: float | None = None,
    queue: Whole | None = None,
    images: Whole = 32,
    body: Whole = 32,
    pixels: Whole = 50,
    client_requests: Whole = 64,
    grace: float = 20.0,
    device: str = "auto",
    engine: Engine | None = None,
    precision: EnginePrecision = "auto",
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Serve a page to drop photographs on, and an API for programs.

    Several weights are served under their names; the page switches between
    them and compares two. Requests that come together are answered together.

    It stops on SIGTERM or Ctrl-C, after what is in flight, and loads all
    weights again on SIGHUP. An API key, from a file or from the environment's
    INCEPTIONS_API_KEY, is asked for wherever an answer is to be had. Everything
    else is in docs/serving.md.

    For example:

      inceptions serve runs/photos-googlenet-1
      inceptions serve runs/photos-googlenet-1 old=runs/photos-googlenet-0
      inceptions serve cats=weights.safetensors --port 8080 --batch 8
      inceptions serve weights.safetensors --host 0.0.0.0 --api-key-file key
      inceptions serve weights.safetensors --engine auto

    Args:
        weights: Runs' folders (their best weights), weight files and exported files; the first answers where none is named.
        host: The address to listen on. Others than this machine's own are reached by other machines.
        port: The port to listen on; 0 takes a free one.
        api_key_file: A file that holds the API key.
        allow_host: Another name that the service goes by, as when a proxy passes one on.
        batch: Most images in one pass through a network [default: measured at the start]
        wait: Seconds that an image waits for others that are on their way [default: measured at the start]
        queue: Most images that wait for a network [default: what it answers in 4 seconds]
        images: Most images in one request.
        body: Most MiB in one request.
        pixels: Most millions of pixels in one image.
        client_requests: Most requests of one address at a time.
        grace: Seconds that requests in flight get at the end.
        device: auto, cpu, cuda, cuda:1 or mps.
        engine: auto (the fastest), eager, compiled, openvino, onnxruntime, cuda, … [default: torch as it is; of a file its own]
        precision: What an engine computes in; auto leaves it to the engine.
        json: Print one JSON document when it is ready: address, models, pid.
        quiet: No line for each request.
    """
    from inceptions.deploy.serve import Limits
    from inceptions.deploy.serve import serve as run

    def ready(document: dict[str, Any]) -> None:
        if json:
            show(document)
        else:
            names = ", ".join(model["name"] for model in document["models"])
            print(f"{names} at {document['address']}  (Ctrl-C stops it)")
        sys.stdout.flush()

    limits = Limits(
        batch=batch,
        wait=wait,
        queue=queue,
        images=images,
        body=body * 2**20,
        pixels=pixels * 10**6,
        client_requests=client_requests,
        grace=grace,
    )
    run(
        weights,
        host=host,
        port=port,
        key_file=api_key_file,
        allow_hosts=allow_host,
        device=device,
        engine=engine,
        precision=precision,
        limits=limits,
        quiet=quiet,
        ready=ready,
    )
