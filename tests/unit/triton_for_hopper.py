"""Compiles both Triton kernels for a Hopper GPU, which takes no GPU, and prints what each variant's code holds as JSON.

A script of its own: kernels are compiled only in a process where Triton's interpreter has not taken them over.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from neurorules.native.scans import PsiShape, Reset, Total
from neurorules.native.scans.triton_launch import OPTIONS
from neurorules.native.scans.triton_scans import reverse_kernel, scan_kernel

HOPPER = GPUTarget("cuda", 90, 32)
POINTERS = {torch.float32: "*fp32", torch.float64: "*fp64", torch.uint8: "*u8", torch.bfloat16: "*bf16"}
EVERYTHING = {"SHIFT": 2, "GAIN": 2, "MEAN": 2, "BIAS": 1}
NOTHING = dict.fromkeys(EVERYTHING, 0)


def compiled(kernel: Any, constants: dict[str, Any], dtype: torch.dtype, spikes: torch.dtype) -> str:
    """The PTX of a kernel, compiled as it is launched: constants are fixed, all else are pointers and counts."""
    signature = {
        name: "constexpr" if name in constants
        else "i32" if name in ("steps", "size", "neurons_a_row")
        else POINTERS[spikes if name == "spikes" else dtype]
        for name in kernel.arg_names
    }  # fmt: skip
    source = ASTSource(kernel, signature, constants)
    return triton.compile(source, target=HOPPER, options=OPTIONS).asm["ptx"]


def scans() -> Iterator[tuple[str, str]]:
    """The forward scan: every reset, total and storage of spikes, and both ends of what is asked for."""
    ways = itertools.product(Reset, [False, True])
    storages, psis = itertools.cycle([torch.float32, torch.uint8, torch.bfloat16]), itertools.cycle([0, 1, 2])
    for (reset, delay), dtype, all_of_it in zip(
        ways, itertools.cycle([torch.float32, torch.float64]), itertools.cycle([True, False]), strict=False
    ):
        constants = {
            "CONSTANT": not all_of_it, "BETA": 1 + delay, "THRESHOLD": 1, "U0": all_of_it, "SPIKES": True,
            "V": all_of_it, "SPIKE_TOTAL": all_of_it, "TOTAL": int(Total.GRADED if all_of_it else Total.POSITIVE_V),
            "MOMENTS": all_of_it, "RESET": int(reset), "DELAY": delay, "PSI": next(psis), "SLOPE": 0.7, "BLOCK": 128,
        }  # fmt: skip
        constants |= EVERYTHING if all_of_it else {**NOTHING, "steps": 1, "neurons_a_row": 1}
        yield f"scan {reset.name} {delay} {dtype}", compiled(scan_kernel, constants, dtype, next(storages))


def reverses() -> Iterator[tuple[str, str]]:
    """The reverse scan: every psi, with and without a normalisation and a reset to zero."""
    for shape, dtype, through in zip(
        PsiShape, itertools.cycle([torch.float32, torch.float64]), itertools.cycle([True, False, True]), strict=False
    ):
        constants = {
            "CONSTANT": not through, "CURRENT_CONSTANT": False, "BETA": 1, "THRESHOLD": 2, "SPIKES": not through,
            "THROUGH": through, "EVERY": True, "TOTALS": through, "PRODUCT": through, "ZEROED": True, "WEIGHED": True,
            "PSI": int(shape), "SLOPE": 25.0, "SCALE": 0.3, "OUTER": -2.0, "BLOCK": 128,
        }  # fmt: skip
        constants |= EVERYTHING if through else {**NOTHING, "steps": 1}
        yield f"reverse {shape.name} {dtype}", compiled(reverse_kernel, constants, dtype, torch.uint8)


if __name__ == "__main__":
    print(json.dumps({name: "fma" in ptx for name, ptx in [*scans(), *reverses()]}))
