"""The scan kernels: C against plain torch bit for bit, and both against snnTorch and autograd."""

from __future__ import annotations

import itertools
import math
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import snntorch
import torch

from neurorules.torch_path.kernels import Psi, PsiShape, Reset, build, dispatch, reverse_scan, reverse_total, scan

RESETS = list(Reset)
ODD = (7, 3, 347)  # T, B, N: more than one block, and a last one that is not full
PSIS = [
    Psi(PsiShape.BOXCAR, 2.0, 0.5),
    Psi(PsiShape.TRIANGLE, 0.8, 0.3),
    Psi(PsiShape.FAST_SIGMOID, 25.0),
    Psi(PsiShape.ATAN, math.pi, 1.0),
]


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)


@pytest.fixture
def in_plain_torch(monkeypatch):
    """Runs a function as a machine without a compiler would."""

    def run(function, *args, **kwargs):
        with monkeypatch.context() as patched:
            patched.setattr(dispatch, "library", lambda: None)
            return function(*args, **kwargs)

    return run


@pytest.fixture
def compiled():
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert build.library() is not None


def drawn(generator, dtype, *shape, mean=0.3):
    return torch.randn(shape, generator=generator, dtype=dtype) + mean


def parameters(generator, dtype, vector, features):
    if not vector:
        return 0.9, 0.7
    return (torch.rand(features, generator=generator, dtype=dtype) for _ in range(2))


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (a.dtype == b.dtype and torch.equal(a, b))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
def test_the_compiled_scan_equals_plain_torch_bit_for_bit(compiled, in_plain_torch, generator, dtype, reset, delay):
    for vector, constant, size in itertools.product([False, True], [False, True], [ODD, (1, 1, 1), (4, 2, 1024)]):
        beta, threshold = parameters(generator, dtype, vector, size[2])
        current = drawn(generator, dtype, *(size[1:] if constant else size))
        u0, r0 = drawn(generator, dtype, *size[1:]), drawn(generator, dtype, *size[1:]).gt(0).to(dtype)
        for start in ({}, {"u0": u0}, {"u0": u0, "r0": r0}):
            call = (current, size[0], beta, threshold, reset, delay)
            wanted = {**start, "mean_v": True, "mean_spikes": True}
            assert_same(scan(*call, **wanted), in_plain_torch(scan, *call, **wanted))


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("spike_dtype", [None, torch.bool, torch.uint8, torch.bfloat16])
def test_what_is_kept_does_not_change_what_is_computed(compiled, in_plain_torch, generator, delay, spike_dtype):
    current = drawn(generator, torch.float32, *ODD)
    call = (current, ODD[0], 0.9, 1.0, Reset.SUBTRACT, delay)
    everything = scan(*call, mean_v=True, mean_spikes=True)
    for spikes, v, mean_v, mean_spikes in itertools.product([False, True], repeat=4):
        kept = {"spikes": spikes, "v": v, "mean_v": mean_v, "mean_spikes": mean_spikes, "spike_dtype": spike_dtype}
        out = scan(*call, **kept)
        assert_same(out, in_plain_torch(scan, *call, **kept))
        for name, wanted in zip(
            ("spikes", "v", "mean_v", "mean_spikes"), (spikes, v, mean_v, mean_spikes), strict=True
        ):
            value = getattr(out, name)
            assert (value is not None) == wanted
            assert value is None or torch.equal(value.to(current.dtype), getattr(everything, name))
        assert torch.equal(out.u, everything.u) and torch.equal(out.r, everything.r)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
def test_a_run_cut_in_two_equals_the_run_in_one(generator, reset, delay):
    current = drawn(generator, torch.float32, *ODD)
    whole = scan(current, 7, 0.9, 1.0, reset, delay)
    first = scan(current[:3], 3, 0.9, 1.0, reset, delay)
    second = scan(current[3:], 4, 0.9, 1.0, reset, delay, first.u, first.r)
    assert torch.equal(torch.cat([first.v, second.v]), whole.v)
    assert torch.equal(second.u, whole.u) and torch.equal(second.r, whole.r)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("vector", [False, True])
def test_the_delayed_reset_is_snntorch_spike_for_spike_and_bit_for_bit(generator, reset, vector):
    beta, threshold = parameters(generator, torch.float32, vector, ODD[2])
    current = drawn(generator, torch.float32, *ODD)
    leaky = snntorch.Leaky(beta, threshold=threshold, reset_mechanism=reset.name.lower())
    mem = drawn(generator, torch.float32, *ODD[1:])
    ours = scan(current, ODD[0], beta, threshold, reset, True, mem)
    for t in range(ODD[0]):
        spikes, mem = leaky(current[t], mem)
        assert torch.equal(spikes, ours.spikes[t]) and torch.equal(mem, ours.v[t])


@pytest.mark.parametrize("reset", RESETS)
def test_the_immediate_reset_is_snntorch_while_one_subtraction_brings_the_membrane_below_threshold(generator, reset):
    current = drawn(generator, torch.float32, *ODD).clamp(-1, 0.8)
    leaky = snntorch.Leaky(0.9, threshold=1.0, reset_mechanism=reset.name.lower(), reset_delay=False)
    mem, u = torch.zeros(ODD[1:]), None
    for t in range(ODD[0]):
        spikes, mem = leaky(current[t], mem)
        ours = scan(current[t], 1, 0.9, 1.0, reset, u0=u)
        u = ours.u
        assert torch.equal(spikes, ours.spikes[0]) and torch.equal(mem, u)


def test_snntorch_without_delay_misses_a_spike_where_the_membrane_stays_above_threshold_and_we_do_not():
    leaky, mem, theirs = snntorch.Leaky(1.0, reset_delay=False), torch.zeros(1, 1), []
    for current in (2.5, 0.0):
        spikes, mem = leaky(torch.full((1, 1), current), mem)
        theirs.append(spikes.item())
    ours = scan(torch.tensor([2.5, 0.0]).reshape(2, 1, 1), 2, 1.0, 1.0, Reset.SUBTRACT)
    assert theirs == [1.0, 0.0]  # 2.5 - 1 = 1.5 > 1 still, yet the test is made on 1.5 - 1
    assert ours.spikes.flatten().tolist() == [1.0, 1.0]


def autograd_of_a_loop(current, steps, beta, threshold, reset, delay, loss):
    """Gradient of loss(v of all steps) with respect to the current; every reset detached."""
    current = current.clone().requires_grad_()
    u, r, membranes = torch.zeros(current.shape[-2:], dtype=current.dtype), 0.0, []
    for t in range(steps):
        here = current[t] if current.ndim == 3 else current
        if delay and reset is Reset.ZERO:
            u = (1 - r) * u
        v = beta * u + here - (r * threshold if delay and reset is Reset.SUBTRACT else 0.0)
        s = (v > threshold).to(v.dtype).detach()
        u = v
        if not delay and reset is not Reset.NONE:
            u = v - s * threshold if reset is Reset.SUBTRACT else v * (1 - s)
        r = s
        membranes.append(v)
    return torch.autograd.grad(loss(torch.stack(membranes)), current)[0]


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("vector", [False, True])
def test_the_reverse_scan_is_autograd_with_detached_resets(generator, reset, delay, vector):
    beta, threshold = parameters(generator, torch.float64, vector, ODD[2])
    current, gradient = (drawn(generator, torch.float64, *ODD) for _ in range(2))
    out = scan(current, ODD[0], beta, threshold, reset, delay)
    expected = autograd_of_a_loop(current, ODD[0], beta, threshold, reset, delay, lambda v: (v * gradient).sum())
    ours = reverse_scan(gradient, ODD[0], beta, reset, spikes=out.spikes)
    assert (ours - expected).abs().max() <= 1e-12
    out = scan(current[0], ODD[0], beta, threshold, reset, delay)
    expected = autograd_of_a_loop(current[0], ODD[0], beta, threshold, reset, delay, lambda v: (v * gradient[0]).sum())
    ours = reverse_total(gradient[0], ODD[0], beta, reset, v=out.v, v_threshold=threshold)
    assert (ours - expected).abs().max() <= 1e-12


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("slope", [("atan", 2.0), ("fast_sigmoid", 25.0)])
def test_the_reverse_scan_with_psi_is_the_gradient_that_snntorch_computes(generator, reset, slope):
    name, value = slope
    psi = Psi(PsiShape.ATAN, math.pi / 2 * value, value / 2) if name == "atan" else Psi(PsiShape.FAST_SIGMOID, value)
    gradient = drawn(generator, torch.float32, *ODD)
    current = drawn(generator, torch.float32, *ODD).requires_grad_()
    leaky = snntorch.Leaky(0.9, spike_grad=getattr(snntorch.surrogate, name)(value), reset_mechanism=reset.name.lower())
    mem, spikes = torch.zeros(ODD[1:]), []
    for t in range(ODD[0]):
        spike, mem = leaky(current[t], mem)
        spikes.append(spike)
    expected = torch.autograd.grad((torch.stack(spikes) * gradient).sum(), current)[0]
    out = scan(current, ODD[0], 0.9, 1.0, reset, True)
    assert not out.v.requires_grad
    torch.testing.assert_close(reverse_scan(gradient, ODD[0], 0.9, reset, v=out.v, psi=psi), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("psi", [None, *PSIS])
def test_the_compiled_reverse_scans_equal_plain_torch_bit_for_bit(
    compiled, in_plain_torch, generator, dtype, reset, psi
):
    for vector, constant, stored in itertools.product(
        [False, True], [False, True], [None, dtype, torch.bool, torch.bfloat16]
    ):
        beta, threshold = parameters(generator, dtype, vector, ODD[2])
        out = scan(drawn(generator, dtype, *ODD), ODD[0], beta, threshold, reset)
        call = (drawn(generator, dtype, *(ODD[1:] if constant else ODD)), ODD[0], beta, reset)
        spikes = None if stored is None else out.spikes.to(stored)
        v = out.v if stored is None or psi is not None else None
        given = {"spikes": spikes, "v": v, "v_threshold": threshold, "psi": psi}
        every, total = reverse_scan(*call, **given), reverse_total(*call, **given)
        assert torch.equal(every, in_plain_torch(reverse_scan, *call, **given))
        assert torch.equal(total, in_plain_torch(reverse_total, *call, **given))
        torch.testing.assert_close(total, every.sum(0))


def test_one_thread_and_two_give_the_same_bits(compiled, generator):
    current = drawn(generator, torch.float32, 25, 16, 1000)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            out = scan(current, 25, 0.9, 1.0, Reset.ZERO, mean_v=True)
            results.append([*out[:5], reverse_scan(current, 25, 0.9, Reset.ZERO, v=out.v, psi=PSIS[3])])
    finally:
        torch.set_num_threads(before)
    assert_same(*results)


def test_a_strided_current_is_read_right(generator):
    current = drawn(generator, torch.float32, 7, 347, 3).transpose(1, 2)
    call = (7, 0.9, 1.0, Reset.SUBTRACT)
    assert_same(scan(current, *call), scan(current.contiguous(), *call))


def test_without_a_compiler_one_warning_names_the_remedy_and_results_stay(generator, monkeypatch):
    current = drawn(generator, torch.float32, *ODD)
    expected = scan(current, ODD[0], 0.9, 1.0, Reset.SUBTRACT)
    monkeypatch.setattr(build, "find_compiler", lambda: None)
    build.library.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results = [scan(current, ODD[0], 0.9, 1.0, Reset.SUBTRACT) for _ in range(2)]
        assert [str(w.message) for w in caught if "install gcc" in str(w.message)] == [str(w.message) for w in caught]
        assert len(caught) == 1
        for result in results:
            assert_same(result, expected)
    finally:
        build.library.cache_clear()


def test_a_compiler_that_fails_is_named_in_the_warning(monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'no stdint.h' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(build, "find_compiler", lambda: str(broken))
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    build.library.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="no stdint.h"):
            assert build.library() is None
    finally:
        build.library.cache_clear()


def test_two_compile_at_once_and_a_damaged_file_is_replaced(compiled, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "FLAGS", ("-O0", "-fPIC"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: build._load_or_compile(build.find_compiler(), tmp_path), range(2)))
    (stored,) = tmp_path.iterdir()
    copy = tmp_path / "elsewhere" / stored.name
    copy.parent.mkdir()
    copy.write_bytes(b"damaged")
    build._load_or_compile(build.find_compiler(), copy.parent)
    assert copy.stat().st_size > 1000


def test_the_kernels_share_torchs_openmp_runtime(compiled):
    with open(build.library()._name, "rb") as stored:
        assert b"libgomp" not in stored.read()


def test_unfitting_inputs_are_refused_with_the_shape_that_was_asked_for():
    current = torch.zeros(5, 2, 3)
    with pytest.raises(ValueError, match=r"\(4, B, N\)"):
        scan(current, 4, 0.9, 1.0, Reset.SUBTRACT)
    with pytest.raises(ValueError, match=r"beta must be one number or \(3,\)"):
        scan(current, 5, torch.ones(2), 1.0, Reset.SUBTRACT)
    with pytest.raises(ValueError, match=r"u0 must be \(2, 3\)"):
        scan(current, 5, 0.9, 1.0, Reset.SUBTRACT, u0=torch.zeros(3))
    with pytest.raises(TypeError, match="float64"):
        scan(current, 5, 0.9, 1.0, Reset.SUBTRACT, u0=torch.zeros(2, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="give spikes or v"):
        reverse_scan(current, 5, 0.9, Reset.ZERO)
    with pytest.raises(ValueError, match="psi reads the membrane"):
        reverse_scan(current, 5, 0.9, Reset.NONE, psi=PSIS[0])
