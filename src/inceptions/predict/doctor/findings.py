"""What a check found, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["ok", "note", "warn", "fail"]
"""Healthy; cannot be judged; look at it; broken."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: its name: "numbers", "filters", "batch norm", "classifier", "activity", "outputs", "preprocessing".
        level: how serious it is.
        says: a sentence.
        details: the figures behind it, plain values.
    """

    check: str
    level: Level
    says: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"check": self.check, "level": self.level, "says": self.says, "details": dict(self.details)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """Everything found about a weight file.

    Attributes:
        file: which.
        network: "name/variant".
        classes: how many it tells apart; 0 without a classifier.
        findings: in the order of the checks.
    """

    file: str
    network: str
    classes: int
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> list[str]:
        """Names of the checks that failed."""
        return [finding.check for finding in self.findings if finding.level == "fail"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "file": self.file,
            "network": self.network,
            "classes": self.classes,
            "healthy": not self.broken,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def to_text(self) -> str:
        """A line a finding, for people."""
        warnings = sum(finding.level == "warn" for finding in self.findings)
        verdict = f"Broken: {', '.join(self.broken)}." if self.broken else "Healthy."
        if warnings and not self.broken:
            verdict = "Nothing is broken; 1 warning." if warnings == 1 else f"Nothing is broken; {warnings} warnings."
        width = max(len(finding.check) for finding in self.findings)
        lines = [f"{finding.level:<5} {finding.check:<{width}}  {finding.says}" for finding in self.findings]
        outputs = f"{self.classes:,} classes" if self.classes else "without a classifier"
        return "\n".join((f"{self.file}: {self.network}, {outputs}", *lines, verdict))
