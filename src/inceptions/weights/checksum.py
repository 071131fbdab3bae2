"""Digests of files, whole or their first digits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Algorithm = Literal["sha256", "sha384", "sha1", "md5"]
BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Checksum:
    """A file's digest as far as it is published: torchvision's file names carry the first eight digits of theirs.

    Attributes:
        algorithm: which digest.
        digest: its hexadecimal digits from the first on, all of them or fewer.
    """

    algorithm: Algorithm
    digest: str

    @property
    def kind(self) -> str:
        """The algorithm, or "sha256 prefix" where only the first digits are known."""
        whole = len(self.digest) == 2 * hashlib.new(self.algorithm, usedforsecurity=False).digest_size
        return self.algorithm if whole else f"{self.algorithm} prefix"

    def of(self, path: Path) -> str:
        """The digest of a file, as many digits as are known of this one."""
        digest = hashlib.new(self.algorithm, usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()[: len(self.digest)]
