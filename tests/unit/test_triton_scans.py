"""The Triton kernels against plain torch: by Triton's interpreter on a CPU, compiled where there is a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scan_cases import PSIS

from neurorules.native import scans as kernels
from neurorules.native.scans import HAVE_PRIMITIVE, Affine, Psi, Reset, Through, Total, dispatch, on_gpu

pytest.importorskip("triton", reason="needs Triton: pip install triton")

ON_A_GPU = torch.cuda.is_available()
with pytest.MonkeyPatch.context() as patched:
    if not ON_A_GPU:  # read while the kernels are defined
        patched.setenv("TRITON_INTERPRET", "1")
    TRITON = on_gpu.gpu_kernels()

pytestmark = pytest.mark.cuda if ON_A_GPU else []
DEVICE = torch.device("cuda" if ON_A_GPU else "cpu")
EXAMPLES = settings(max_examples=40 if ON_A_GPU else 150)
STORED = [None, torch.bool, torch.uint8, torch.bfloat16]

sizes = st.tuples(st.integers(1, 9), st.integers(1, 4), st.sampled_from([1, 2, 63, 128, 161]))
dtypes = st.sampled_from([torch.float32, torch.float64])
numbers = st.sampled_from(["grid", "any"])
layouts = st.sampled_from(["one", "each"])


class Drawing:
    """Draws tensors of one type on the tests' device: multiples of 1/256, or any numbers."""

    def __init__(self, seed: int, dtype: torch.dtype, kind: str) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.dtype, self.kind = dtype, kind

    def __call__(self, *shape: int, mean: float = 0.3) -> torch.Tensor:
        values = torch.randn(shape, generator=self.generator, dtype=self.dtype) + mean
        return ((values * 256).round() / 256 if self.kind == "grid" else values).to(DEVICE)

    def parameter(self, layout: str, features: int) -> torch.Tensor:
        """One number for all neurons, or one a neuron; on the grid a half or a whole, so that no product rounds."""
        values = torch.rand(features if layout == "each" else (), generator=self.generator, dtype=self.dtype)
        return ((values * 2).round() / 2 if self.kind == "grid" else values).to(DEVICE)

    def affine(self, parts: str, features: int) -> Affine:
        """The parts of an affine current that are named, one a neuron."""
        shift, mean, gain, bias = (self(features) for _ in range(4))
        scaled = "scaled" in parts
        return Affine(
            shift if "shifted" in parts else None, mean if scaled else None, gain if scaled else None,
            bias if "biased" in parts else None,
        )  # fmt: skip


def by_triton(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function of the scans gives where Triton's kernels serve every tensor."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dispatch, "_kernels", lambda tensor: TRITON)
        return function(*args, **kwargs)


def by_torch(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What it gives in plain torch."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dispatch, "_kernels", lambda tensor: None)
        return function(*args, **kwargs)


def assert_same(ours: Any, wanted: Any, dtype: torch.dtype) -> None:
    """Spikes are equal, whatever else there is agrees to rounding; what was not asked for is on neither side."""
    assert type(ours) is type(wanted)
    for name, left, right in zip(ours._fields, ours, wanted, strict=True):
        assert (left is None) == (right is None), name
        if left is None:
            continue
        assert left.dtype == right.dtype and left.shape == right.shape, name
        if name.startswith("spike"):
            assert torch.equal(left, right), name
        else:
            close = 1e-5 if dtype == torch.float32 else 1e-12
            torch.testing.assert_close(
                left, right, rtol=close, atol=close, msg=lambda text, name=name: f"{name}: {text}"
            )


@EXAMPLES
@given(
    seed=st.integers(0, 2**16), size=sizes, dtype=dtypes, kind=numbers, constant=st.booleans(), starts=st.booleans(),
    reset=st.sampled_from(Reset), delay=st.booleans(), layout=layouts,
    affine=st.sampled_from(["", "biased", "shifted", "scaled", "shifted scaled biased"]),
    stored=st.sampled_from(STORED), kept=st.tuples(*[st.booleans()] * 4),
    summed=st.sampled_from([None, Total.POSITIVE_V, *PSIS[:3]]),
)  # fmt: skip
@example(
    seed=1, size=(7, 3, 161), dtype=torch.float32, kind="any", constant=False, starts=True, reset=Reset.SUBTRACT,
    delay=False, layout="each", affine="shifted scaled biased", stored=None, kept=(True, True, True, True),
    summed=PSIS[1],
)  # fmt: skip
@example(
    seed=2, size=(9, 2, 63), dtype=torch.float64, kind="grid", constant=True, starts=False, reset=Reset.ZERO,
    delay=False, layout="one", affine="", stored=torch.bool, kept=(True, True, True, False), summed=Total.POSITIVE_V,
)  # fmt: skip
def test_the_scan_gives_the_spikes_of_plain_torch_and_its_sums(
    seed: int, size: tuple[int, int, int], dtype: torch.dtype, kind: str, constant: bool, starts: bool, reset: Reset,
    delay: bool, layout: str, affine: str, stored: torch.dtype | None, kept: tuple[bool, bool, bool, bool],
    summed: Psi | Total | None,
) -> None:  # fmt: skip
    drawn = Drawing(seed, dtype, kind)
    current = drawn(*(size[1:] if constant else size))
    beta, threshold = drawn.parameter(layout, size[2]), drawn.parameter(layout, size[2]) + 0.25
    spikes, v, spike_total, moments = kept
    psi = summed if isinstance(summed, Psi) else None
    call = (current, size[0], beta, threshold, reset, delay, drawn(*size[1:], mean=0.8) if starts else None)
    wanted = {
        "affine": drawn.affine(affine, size[2]), "spikes": spikes, "v": v, "spike_total": spike_total,
        "moments": moments, "total": Total.GRADED if psi else summed, "psi": psi, "spike_dtype": stored,
    }  # fmt: skip
    assert psi is None or psi.shape in HAVE_PRIMITIVE
    assert_same(by_triton(kernels.scan, *call, **wanted), by_torch(kernels.scan, *call, **wanted), dtype)


@EXAMPLES
@given(
    seed=st.integers(0, 2**16), size=sizes, dtype=dtypes, kind=numbers, constant=st.booleans(),
    reset=st.sampled_from(Reset), layout=layouts, psi=st.sampled_from([None, *PSIS]),
    stored=st.sampled_from(["v", *STORED]), outer=st.sampled_from([1.0, -2.5]), every=st.booleans(),
    through=st.sampled_from(["", "scaled", "shifted scaled", "shifted scaled constant"]), totals=st.booleans(),
)  # fmt: skip
@example(
    seed=3, size=(7, 3, 161), dtype=torch.float32, kind="any", constant=False, reset=Reset.ZERO, layout="each",
    psi=PSIS[2], stored="v", through="shifted scaled", outer=-2.5, every=True, totals=True,
)  # fmt: skip
@example(
    seed=4, size=(5, 2, 63), dtype=torch.float64, kind="grid", constant=True, reset=Reset.ZERO, layout="one",
    psi=PSIS[1], stored=torch.bfloat16, through="", outer=1.0, every=True, totals=True,
)  # fmt: skip
def test_the_reverse_scan_gives_the_post_factors_of_plain_torch_and_their_sums(
    seed: int, size: tuple[int, int, int], dtype: torch.dtype, kind: str, constant: bool, reset: Reset, layout: str,
    psi: Psi | None, stored: torch.dtype | str | None, through: str, outer: float, every: bool, totals: bool,
) -> None:  # fmt: skip
    drawn = Drawing(seed, dtype, kind)
    steps, rows, features = size
    v, gradient = drawn(*size, mean=0.6), drawn(*(size[1:] if constant else size))
    beta, threshold = drawn.parameter(layout, features), drawn.parameter(layout, features) + 0.25
    fired = (v > threshold).to(dtype if stored is None or stored == "v" else stored)
    way = None
    if through:
        brought = drawn(*((rows, features) if "constant" in through else size))
        way = Through(brought, drawn.affine(through, features), drawn(features), drawn.parameter(layout, features))
    wanted = {
        "spikes": None if stored == "v" else fired, "v": v, "v_threshold": threshold, "psi": psi, "through": way,
        "outer": outer, "every": every, "totals": totals,
    }  # fmt: skip
    call = (gradient, steps, beta, reset)
    assert_same(by_triton(kernels.reverse, *call, **wanted), by_torch(kernels.reverse, *call, **wanted), dtype)


def test_more_neurons_than_one_program_runs_are_each_scanned_once() -> None:
    drawn = Drawing(5, torch.float32, "any")
    current = drawn(3, 7, 1000)
    call = (current, 3, 0.9, 1.0, Reset.SUBTRACT)
    assert_same(by_triton(kernels.scan, *call), by_torch(kernels.scan, *call), torch.float32)


@pytest.mark.skipif(not ON_A_GPU, reason="needs a CUDA device")
def test_tensors_on_a_gpu_are_scanned_by_triton() -> None:
    like = torch.zeros(1, device="cuda")
    assert kernels.serves(like) and dispatch._kernels(like) is TRITON
    assert not kernels.serves(like.half()) and not kernels.serves(torch.zeros(1, device="meta"))


def test_without_triton_one_line_says_that_scans_run_in_plain_torch() -> None:
    code = (
        "import sys, warnings; sys.modules['triton'] = None\n"
        "from neurorules.native.scans.on_gpu import gpu_kernels\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    assert gpu_kernels() is None and gpu_kernels() is None\n"
        "print(*(warning.message for warning in caught), sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1 and "plain torch" in done.stdout and "pip install triton" in done.stdout


def test_the_kernels_compile_for_a_gpu_and_fuse_no_product_with_a_sum(tmp_path: Path) -> None:
    script = Path(__file__).with_name("triton_for_hopper.py")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    fused = json.loads(done.stdout)
    assert len(fused) == 12 and not any(fused.values()), fused
