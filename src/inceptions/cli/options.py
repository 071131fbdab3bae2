"""The kinds of options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from inceptions.console import whole, whole_or_auto

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Whole = Annotated[int, Parameter(converter=whole)]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
EnginePrecision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
Engine = Literal["auto", "eager", "compiled", "openvino", "onnxruntime", "cuda", "cuda-compiled"]
Workers = Annotated[int | Literal["auto"], Parameter(converter=whole_or_auto)]
Batch = Annotated[int | Literal["auto"], Parameter(converter=whole_or_auto)]
