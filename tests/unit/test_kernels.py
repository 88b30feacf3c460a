"""The scan kernels: C against plain torch bit for bit, and both against snnTorch and autograd."""

from __future__ import annotations

import itertools
import math
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import snntorch
import torch
from scan_cases import PSIS

from neurorules.contracts.neuron import MembraneState
from neurorules.native.rings import native
from neurorules.native.scans import (
    HAVE_PRIMITIVE,
    Affine,
    Psi,
    PsiShape,
    Reset,
    Through,
    Total,
    build,
    dispatch,
    membranes,
    reruns,
    reverse,
    reverse_scan,
    scan,
    scan_inputs,
)
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.surrogates import Boxcar

RESETS = list(Reset)
ODD = (7, 3, 347)  # T, B, N: several vectors, and a last one that is not full
FEW = (7, 3, 13)  # fewer neurons than a vector holds in float32, which run in blocks


def reverse_total(*inputs, **options):
    """The sum over time of a reverse scan, (B, N): the gradient of a constant current."""
    return reverse(*inputs, **options, every=False).total


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


def affines(generator, dtype, features):
    shift, mean, gain, bias = (drawn(generator, dtype, features) for _ in range(4))
    return [Affine(), Affine(bias=bias), Affine(shift), Affine(None, mean, gain), Affine(shift, mean, gain, bias)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
def test_the_compiled_scan_equals_plain_torch_bit_for_bit(compiled, in_plain_torch, generator, dtype, reset, delay):
    for vector, constant, size in itertools.product([False, True], [False, True], [ODD, FEW, (1, 1, 1), (4, 2, 1024)]):
        beta, threshold = parameters(generator, dtype, vector, size[2])
        current = drawn(generator, dtype, *(size[1:] if constant else size))
        u0 = drawn(generator, dtype, *size[1:])
        for start, affine in itertools.product([None, u0], affines(generator, dtype, size[2])):
            call = (current, size[0], beta, threshold, reset, delay, start)
            wanted = {"affine": affine, "moments": True}
            assert_same(scan(*call, **wanted), in_plain_torch(scan, *call, **wanted))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("psi", [p for p in PSIS if p.shape in HAVE_PRIMITIVE])
def test_a_total_over_time_equals_plain_torch_bit_for_bit(compiled, in_plain_torch, generator, dtype, psi):
    for vector, total, size in itertools.product([False, True], Total, [ODD, FEW]):
        call = (drawn(generator, dtype, *size), size[0], *parameters(generator, dtype, vector, size[2]), Reset.SUBTRACT)
        wanted = {"total": total, "psi": psi}
        assert_same(scan(*call, **wanted), in_plain_torch(scan, *call, **wanted))


@pytest.mark.parametrize("psi", [p for p in PSIS if p.shape in HAVE_PRIMITIVE])
def test_the_derivative_of_a_graded_total_is_psi(generator, psi):
    v = drawn(generator, torch.float64, 2, 1000, mean=1.0)
    low, high = (scan(v + step, 1, 0.0, 1.0, Reset.NONE, total=Total.GRADED, psi=psi).total for step in (-1e-7, 1e-7))
    wanted = reverse_scan(torch.ones_like(v), 1, 0.0, Reset.NONE, v=v[None], psi=psi)[0]
    smooth = (((v - 1) * psi.slope).abs() - 1).abs() > 1e-5
    assert ((high - low) / 2e-7 - wanted)[smooth].abs().max() < 1e-4


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("spike_dtype", [None, torch.bool, torch.uint8, torch.bfloat16])
def test_what_is_kept_does_not_change_what_is_computed(compiled, in_plain_torch, generator, delay, spike_dtype):
    current = drawn(generator, torch.float32, *ODD)
    call = (current, ODD[0], 0.9, 1.0, Reset.SUBTRACT, delay)
    everything = scan(*call, spike_total=True, moments=True)
    for spikes, v, total, moments in itertools.product([False, True], repeat=4):
        kept = {"spikes": spikes, "v": v, "spike_total": total, "moments": moments}
        out = scan(*call, **kept, spike_dtype=spike_dtype)
        assert_same(out, in_plain_torch(scan, *call, **kept, spike_dtype=spike_dtype))
        for name, wanted in {"spikes": spikes, "v": v, "spike_total": total, "square_sum": moments}.items():
            value = getattr(out, name)
            assert (value is not None) == wanted
            assert value is None or torch.equal(value.to(current.dtype), getattr(everything, name))
        assert torch.equal(out.u, everything.u)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
def test_a_run_cut_in_two_equals_the_run_in_one(generator, reset, delay):
    current = drawn(generator, torch.float32, *ODD)
    whole = scan(current, 7, 0.9, 1.0, reset, delay)
    first = scan(current[:3], 3, 0.9, 1.0, reset, delay)
    second = scan(current[3:], 4, 0.9, 1.0, reset, delay, first.u)
    assert torch.equal(torch.cat([first.v, second.v]), whole.v)
    assert torch.equal(second.u, whole.u)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("drive", [0.3, 4.0], ids=["weak", "strong"])
def test_scan_neuron_and_snntorch_agree_bit_for_bit(generator, reset, delay, vector, drive):
    beta, threshold = parameters(generator, torch.float32, vector, ODD[2])
    current = drawn(generator, torch.float32, *ODD, mean=drive)
    leaky = snntorch.Leaky(beta, threshold=threshold, reset_mechanism=reset.name.lower(), reset_delay=delay)
    neuron = LeakyIntegrator(beta, threshold, reset.name.lower(), delay, Boxcar())
    mem = drawn(generator, torch.float32, *ODD[1:], mean=drive)
    state, ours = MembraneState(mem), scan(current, ODD[0], beta, threshold, reset, delay, mem)
    for t in range(ODD[0]):
        spikes, mem = leaky(current[t], mem)
        fired, observed, state = neuron.step(state, current[t])
        assert torch.equal(spikes, fired) and torch.equal(spikes, ours.spikes[t])
        assert torch.equal(observed.v, ours.v[t]) and torch.equal(mem, state.membrane)
    assert torch.equal(mem, ours.u) and (drive < 1 or spikes.any())


def test_without_delay_a_membrane_left_above_threshold_is_tested_one_threshold_lower():
    ours = scan(torch.tensor([2.5, 0.0, 0.0]).reshape(3, 1, 1), 3, 1.0, 1.0, Reset.SUBTRACT)
    assert ours.v.flatten().tolist() == [2.5, 0.5, 0.5]  # 2.5 - 1 = 1.5 is above 1 still, and 1 goes before the test
    assert ours.spikes.flatten().tolist() == [1.0, 0.0, 0.0]
    assert ours.u.item() == 1.5  # no spike, so what was taken is given back


def autograd_of_a_loop(current, steps, beta, threshold, reset, delay, loss):
    """Gradient of loss(v of all steps) with respect to the current; every reset detached."""
    current = current.clone().requires_grad_()
    u, membranes = torch.zeros(current.shape[-2:], dtype=current.dtype), []
    for t in range(steps):
        here = current[t] if current.ndim == 3 else current
        late = (u > threshold).to(u.dtype).detach()
        u = (1 - late) * u if reset is Reset.ZERO else u
        v = beta * u + here - (late * threshold if reset is Reset.SUBTRACT else 0.0)
        due = (v > threshold).to(v.dtype).detach() - late
        u = v
        if not delay and reset is not Reset.NONE:
            u = v - due * threshold if reset is Reset.SUBTRACT else v * (1 - due)
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("psi", [None, PSIS[2], PSIS[4]])
def test_the_way_through_a_normalisation_equals_plain_torch_bit_for_bit(
    compiled, in_plain_torch, generator, dtype, psi
):
    either = [False, True]
    for vector, constant, fixed, beta, size in itertools.product(either, either, either, [0.0, 0.9], [ODD, FEW]):
        current = drawn(generator, dtype, *(size[1:] if fixed else size))
        numbers = (drawn(generator, dtype, *([size[2]] if vector else [])) for _ in range(5))
        shift, mean, gain, *statistics = numbers
        through = Through(current, Affine(shift, mean, gain), *statistics)
        gradient = drawn(generator, dtype, *(size[1:] if constant else size))
        v = drawn(generator, dtype, *size)
        given = {"v": v, "psi": psi, "through": through, "outer": -2.0}
        call = (gradient, size[0], beta, Reset.NONE)
        ours = reverse(*call, **given)
        assert_same(ours, in_plain_torch(reverse, *call, **given))
        plain = reverse_scan(*call, v=v, psi=psi)
        normalised = (current - shift - mean) * gain
        wanted = -2.0 * (plain - through.mean_d - normalised * through.mean_product) * gain
        torch.testing.assert_close(ours.every, wanted)
        torch.testing.assert_close(ours.every_total, wanted.sum(0), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.product, (plain * normalised).sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
def test_membranes_that_are_computed_again_give_the_same_bits(compiled, in_plain_torch, generator, dtype, reset, delay):
    for size, vector in itertools.product([ODD, (7, 3, 16), (129, 1, 70), (5, 2, 15)], [False, True]):
        beta, threshold = parameters(generator, dtype, vector, size[2])
        current, u0 = drawn(generator, dtype, *size), drawn(generator, dtype, *size[1:])
        shift, mean, gain, bias, *statistics = (drawn(generator, dtype, size[2]) for _ in range(6))
        run = scan_inputs(current, size[0], beta, threshold, reset, delay, u0, affine=Affine(shift, mean, gain, bias))
        v = scan(current, size[0], beta, threshold, reset, delay, u0, affine=run.affine).v
        assert torch.equal(membranes(run), v)
        assert reruns(run) == (size[0] <= 128 and size[2] >= 16)
        through = Through(current, Affine(shift, mean, gain), *statistics)
        call = (drawn(generator, dtype, *size[1:]), size[0], beta, reset)
        for psi, way in itertools.product([PSIS[2], PSIS[3]], [None, through]):
            given = {"v_threshold": threshold, "psi": psi, "through": way, "outer": -2.0}
            assert_same(reverse(*call, rerun=run, **given), reverse(*call, v=v, **given))
            assert_same(reverse(*call, rerun=run, **given), in_plain_torch(reverse, *call, rerun=run, **given))


def test_one_thread_and_two_give_the_same_bits(compiled, generator):
    current = drawn(generator, torch.float32, 25, 16, 1000)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            out = scan(current, 25, 0.9, 1.0, Reset.ZERO, total=Total.POSITIVE_V, moments=True)
            results.append([*out, reverse_scan(current, 25, 0.9, Reset.ZERO, v=out.v, psi=PSIS[3])])
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


def test_the_warning_says_which_loop_runs_without_it(monkeypatch):
    monkeypatch.setattr(native.compile_c, "find_compiler", lambda: None)
    native.library.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match=r"no C compiler.* so rings run in plain torch.*apt install gcc"):
            assert native.library() is None
    finally:
        native.library.cache_clear()


@pytest.mark.parametrize(
    ("says", "advice"),
    [("no stdint.h", "apt install gcc"), ("error writing to /tmp/a.s: No space left on device", "TMPDIR")],
)
def test_a_compiler_that_fails_is_named_in_the_warning(says, advice, monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(build, "find_compiler", lambda: str(broken))
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    build.library.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match=rf"failed \({says}\), so neurons run in plain torch.*{advice}"):
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
