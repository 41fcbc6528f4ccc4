"""Makes golden.safetensors: one tensor of each type, written by the safetensors library itself.

    pip install safetensors torch numpy && python make.py

The test reads it, checks every number, and writes the same bytes again.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

INFINITY, NAN = float("inf"), float("nan")
HALVES = [0.0, -0.0, 1.0, -2.5, 2.0**-24, 2.0**-14, 65504.0, INFINITY, -INFINITY, NAN]

save_file(
    {
        "f64": torch.tensor([0.1, -1e300], dtype=torch.float64),
        "f32": torch.tensor([[0.1, 1.5, -2.0], [1e-45, INFINITY, 3.0]]),
        "f16": torch.tensor(HALVES, dtype=torch.float16),
        "bf16": torch.tensor([1.0, 3.140625, 2.0**-133, 3.3895313892515355e38, -INFINITY, 0.1], dtype=torch.bfloat16),
        "i64": torch.tensor([-(2**63), 2**63 - 1]),
        "i32": torch.tensor([[-1], [2**31 - 1]], dtype=torch.int32),
        "i16": torch.tensor([-(2**15), 7], dtype=torch.int16),
        "i8": torch.tensor([-128, 127, 5], dtype=torch.int8),
        "u8": torch.tensor([0, 255, 9], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "model.layers.0.\u00e9": torch.tensor([1], dtype=torch.int32),
    },
    Path(__file__).parent / "golden.safetensors",
    metadata={"format": "pt"},
)
