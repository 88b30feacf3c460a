"""The compiled scans that run backwards: gates that vary in time, and what a population sends itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.native import scans
from neurorules.native.scans import build, dispatch
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.network.post_forms import slopes
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import learn_trial

SIZES = [(5, 3, 7), (9, 6, 300), (4, 9, 130), (1, 1, 64), (6, 5, 129)]
"""T, B, N: rows that are no multiple of four, and blocks and panels that are not full."""


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert build.library() is not None


def by_steps(post: Tensor, keep: Tensor, admit: Tensor, alpha: float, loop: tuple[Tensor, ...] = ()):
    """The recursions as they are written, and the factor on the spikes where something loops."""
    later, current, outs = torch.zeros_like(post[0]), torch.zeros_like(post[0]), []
    for t in reversed(range(len(post))):
        total = post[t]
        if loop:
            w, gain = loop[1:]
            total = total + (current * gain) @ w
        later = (total * loop[0][t] if loop else total) + (keep[t + 1] * later if t + 1 < len(post) else 0)
        current = admit[t] * later + alpha * current
        outs.insert(0, (later, current, total))
    return [torch.stack(values) for values in zip(*outs, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", SIZES)
def test_gates_that_vary_pass_factors_back_bit_for_bit(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    post, keep, admit = (torch.randn(size, generator=generator, dtype=dtype) for _ in range(3))
    held = keep[:1].expand(size)
    for gates in ((keep, admit), (held, admit), (keep, admit[:1].expand(size))):
        membrane, current, _ = by_steps(post, *gates, 0.7)
        for found, wanted in zip(scans.adjoint(post, scans.Passing(*gates, 0.7)), (membrane, current), strict=True):
            assert torch.equal(found, wanted)
        (alone,) = scans.adjoint(post, scans.Passing(*gates, 0.7), current=False)
        assert torch.equal(alone, membrane)


@pytest.mark.parametrize("size", SIZES)
def test_what_a_population_sends_itself_comes_back(size: tuple[int, int, int]) -> None:
    generator, n = torch.Generator().manual_seed(2), size[2]
    post, keep, admit, psi = (torch.rand(size, generator=generator, dtype=torch.float64) for _ in range(4))
    w, gain = torch.randn(n, n, generator=generator, dtype=torch.float64), torch.rand(n, dtype=torch.float64) + 0.5
    w /= n**0.5
    *_, wanted = by_steps(post, keep, admit, 0.7, (psi, w, gain))
    for threads in (1, 3):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found = scans.loop_back(post, psi, scans.Passing(keep, admit, 0.7), w, gain)
        finally:
            torch.set_num_threads(before)
        torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)
    once = scans.loop_back(post[:1].expand(size), psi, scans.Passing(keep, admit, 0.7), w, None)
    *_, wanted = by_steps(post[:1].expand(size), keep, admit, 0.7, (psi, w, torch.ones(n, dtype=torch.float64)))
    torch.testing.assert_close(once, wanted, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("looped", [True, False])
def test_thresholds_that_rise_with_spikes_come_back(looped: bool, size: tuple[int, int, int]) -> None:
    generator, (steps, _, n) = torch.Generator().manual_seed(4), size
    post, keep, admit, psi = (torch.rand(size, generator=generator, dtype=torch.float64) for _ in range(4))
    w = torch.randn(n, n, generator=generator, dtype=torch.float64) / n**0.5
    rise, decay = torch.rand(2, n, generator=generator, dtype=torch.float64)
    found = scans.loop_back(post, psi, scans.Passing(keep, admit, 0.7, rise, decay), w if looped else None, None)
    reaches, current, threshold = (torch.zeros_like(post[0]) for _ in range(3))
    for t in reversed(range(steps)):
        total = post[t] + threshold + (current @ w if looped else 0)
        torch.testing.assert_close(found[t], total, atol=1e-12, rtol=1e-12)
        reaches = total * psi[t] + (keep[t + 1] * reaches if t + 1 < steps else 0)
        current = admit[t] * reaches + 0.7 * current
        threshold = decay * threshold - rise * total * psi[t]


@pytest.mark.parametrize("surrogate", ["boxcar", "triangle", "fast_sigmoid", "atan", "comparator"])
@pytest.mark.parametrize("kind", ["alif", "lif", "cuba_lif"])
def test_slopes_are_those_of_the_neuron(kind: str, surrogate: str) -> None:
    network = build_network("c2k3", (1, 4, 4), 2, neuron=f"{kind}:v_threshold=0.5:surrogate={surrogate}", norm="none")
    v = torch.randn(3, 4, 2, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    neuron = network.layers[0].neuron
    torch.testing.assert_close(slopes(neuron, v), neuron.psi(v), atol=1e-14, rtol=1e-14)


@pytest.mark.parametrize("norm", ["streaming", "none"])
@pytest.mark.parametrize(
    "neuron", ["alif", "alif:reset=zero", "cuba_lif", "cuba_lif:reset=zero:reset_delay=true", "lif:reset=zero"]
)
@pytest.mark.parametrize("rule", ["bptt", "eprop:adaptation=0.2", "ostl"])
def test_a_trial_of_compiled_scans_learns_what_steps_learn(
    rule: str, neuron: str, norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build_network("r10-8", (6,), 3, neuron=neuron, norm=norm)
    model, generator = build_model(network, RULES.make(rule)), torch.Generator().manual_seed(4)
    learned = initialise(model, 1, torch.device("cpu"), torch.float64)
    drive = Series((torch.rand(7, 5, 6, generator=generator) < 0.5).double() * 2, False)
    labels = torch.randint(3, (5,), generator=generator)
    compiled_way = learn_trial(model, learned, drive, 7, labels, generator)
    monkeypatch.setattr(dispatch, "library", lambda: None)
    plain = learn_trial(model, learned, drive, 7, labels, generator)
    assert any(float(change.abs().max()) > 0 for name, change in plain.gradients.items() if "hidden1" in name)
    for name, wanted in plain.gradients.items():
        torch.testing.assert_close(compiled_way.gradients[name], wanted, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", SIZES)
def test_a_program_does_what_tensor_operations_do_bit_for_bit(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(5)
    v, m = torch.randn(size, generator=generator, dtype=dtype), torch.randn(size[1:], generator=generator, dtype=dtype)
    theta = torch.rand(size[2], generator=generator, dtype=dtype)
    program, psi = scans.Program(*size, v), scans.Psi(scans.PsiShape.TRIANGLE, 1.0, 0.3)
    slope = program.slope(program.read(v), program.read(theta), psi)
    filtered = program.back(program.operate("*", program.read(m), slope), program.number(0.9))
    decay = program.operate("-", program.number(0.9), program.operate("/", slope, program.number(3.0)))
    gated = program.back(program.operate("+", program.later(filtered), program.read(m.expand(size))), decay)
    assert slope == program.slope(program.read(v), program.read(theta), psi)
    assert program.fits
    height = 0.3 * (1 - (v - theta).abs()).clamp(min=0)
    wanted = by_steps(m * height, torch.full(size, 0.9, dtype=dtype), v, 0.0)[0]
    shifted = torch.cat([wanted[1:], torch.zeros_like(wanted[:1])]) + m
    through = by_steps(shifted, 0.9 - height / 3, v, 0.0)[0]
    for found, value in zip(program.run([gated, filtered]), (through, wanted), strict=True):
        assert torch.equal(found, value)
    for n in range(scans.program.MOST):
        program.number(float(n + 10))
    assert not program.fits


def test_a_chain_that_no_program_takes_is_followed_by_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_network("r10-8", (6,), 3, neuron="alif", norm="none")
    model, generator = build_model(network, RULES.make("eprop:adaptation=0.2")), torch.Generator().manual_seed(4)
    learned = initialise(model, 1, torch.device("cpu"), torch.float64)
    drive = Series((torch.rand(7, 5, 6, generator=generator) < 0.5).double() * 2, False)
    labels, runs = torch.randint(3, (5,), generator=generator), []
    run = scans.Program.run
    monkeypatch.setattr(scans.Program, "run", lambda program, wanted: runs.append(1) or run(program, wanted))
    compiled_way = learn_trial(model, learned, drive, 7, labels, generator)
    assert runs
    runs.clear()
    monkeypatch.setattr(scans.Program, "fits", False)
    plain = learn_trial(model, learned, drive, 7, labels, generator)
    assert not runs
    for name, wanted in plain.gradients.items():
        torch.testing.assert_close(compiled_way.gradients[name], wanted, atol=1e-12, rtol=1e-9)
