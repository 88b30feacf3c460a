"""Neurons: the pure step, and the fused scan that runs it, against snnTorch's Leaky, bit for bit."""

from __future__ import annotations

import pytest
import snntorch
import torch
from torch import Tensor

from neurorules.connections.dense import Dense
from neurorules.contracts.neuron import MembraneState, Neuron, Reset
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.neurons import NEURONS
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._refractory import Refractory
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.neurons.rate import Rate
from neurorules.surrogates import make_surrogate
from neurorules.torch_path.forward.run_layer import Carry, run_layer

STEPS, ROWS, SIZE = 40, 6, 8
RESETS: tuple[Reset, ...] = ("subtract", "zero", "none")
DTYPES = [torch.float32, torch.float64]
SPIKING = ("if", "lif", "cuba_lif", "alif")
DRIVES = {"weak": 0.3, "strong": 3.0}


def numbers(own: bool, dtype: torch.dtype, generator: torch.Generator) -> tuple[float | Tensor, float | Tensor]:
    if not own:
        return 0.875, 1.25
    draw = torch.rand(2, SIZE, generator=generator, dtype=torch.float64).to(dtype)
    return draw[0], 0.5 + draw[1]


@pytest.fixture(params=[(reset, delay, own) for reset in RESETS for delay in (False, True) for own in (False, True)],
                ids=lambda p: f"{p[0]} {'delayed' if p[1] else 'at once'} {'own' if p[2] else 'one'}")  # fmt: skip
def kind(request: pytest.FixtureRequest) -> tuple[Reset, bool, bool]:
    """Reset, whether it is delayed, whether each neuron has a decay and threshold of its own."""
    return request.param  # type: ignore[no-any-return]


def currents(drive: str, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    noise = torch.randn(STEPS, ROWS, SIZE, generator=generator, dtype=torch.float64)
    return (DRIVES[drive] * (noise + 0.6)).to(dtype)


def make(kind: tuple[Reset, bool, bool], dtype: torch.dtype, generator: torch.Generator) -> LeakyIntegrator:
    beta, threshold = numbers(kind[2], dtype, generator)
    return LeakyIntegrator(beta, threshold, kind[0], kind[1], make_surrogate("atan"))


def by_snntorch(neuron: LeakyIntegrator, current: Tensor) -> tuple[Tensor, Tensor]:
    """(spikes, membranes as snnTorch returns them), from its float32 or float64 Leaky."""

    def place(value: float | Tensor) -> Tensor:
        return torch.as_tensor(value, dtype=current.dtype)

    leaky = snntorch.Leaky(
        place(neuron.beta), place(neuron.v_threshold), reset_mechanism=neuron.reset, reset_delay=neuron.reset_delay
    )
    membrane = torch.zeros_like(current[0])
    spikes, membranes = [], []
    for here in current:
        fired, membrane = leaky(here, membrane)
        spikes.append(fired)
        membranes.append(membrane)
    return torch.stack(spikes).to(current.dtype), torch.stack(membranes)


def by_steps(neuron: Neuron, current: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(spikes, membranes before reset, membranes after)."""
    state = neuron.initial(current[0])
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for here in current:
        fired, observed, state = neuron.step(state, here)
        inside = state.neuron if isinstance(neuron, Refractory) else state
        rows.append((fired, observed.v, inside.membrane))
    spikes, before, after = (torch.stack(parts) for parts in zip(*rows, strict=True))
    return spikes, before, after


@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_leaky_integrator_is_snntorchs_leaky_bit_for_bit(
    kind: tuple[Reset, bool, bool], dtype: torch.dtype, drive: str, generator: torch.Generator
) -> None:
    neuron, current = make(kind, dtype, generator), currents(drive, dtype, generator)
    spikes, _, membranes = by_steps(neuron, current)
    their_spikes, their_membranes = by_snntorch(neuron, current)
    assert 0 < float(spikes.mean()) < 1
    assert torch.equal(spikes, their_spikes) and torch.equal(membranes, their_membranes)


def by_synaptic(neuron: SynapticIntegrator, current: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(spikes, synaptic currents, membranes as snnTorch returns them), from its Synaptic."""
    numbers = (torch.as_tensor(value, dtype=current.dtype) for value in (neuron.alpha, neuron.beta, neuron.v_threshold))
    synaptic = snntorch.Synaptic(*numbers, reset_mechanism=neuron.reset, reset_delay=neuron.reset_delay)
    syn, mem = torch.zeros_like(current[0]), torch.zeros_like(current[0])
    rows = []
    for here in current:
        fired, syn, mem = synaptic(here, syn, mem)
        rows.append((fired.to(current.dtype), syn, mem))
    spikes, currents, membranes = (torch.stack(parts) for parts in zip(*rows, strict=True))
    return spikes, currents, membranes


@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cuba_lif_is_snntorchs_synaptic_bit_for_bit(
    kind: tuple[Reset, bool, bool], dtype: torch.dtype, drive: str, generator: torch.Generator
) -> None:
    beta, threshold = numbers(kind[2], dtype, generator)
    alpha = torch.rand(SIZE, generator=generator).to(dtype) if kind[2] else 0.625
    neuron = SynapticIntegrator(beta, threshold, kind[0], kind[1], make_surrogate("atan"), alpha)
    current = currents(drive, dtype, generator)
    state = neuron.initial(current[0])
    rows = []
    for here in current:
        fired, _, state = neuron.step(state, here)
        rows.append((fired, state.current, state.membrane))
    found = [torch.stack(parts) for parts in zip(*rows, strict=True)]
    expected = by_synaptic(neuron, current)
    assert 0 < float(found[0].mean()) < 1
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("drive", DRIVES)
def test_gates_that_do_nothing_leave_a_leaky_integrator(
    kind: tuple[Reset, bool, bool], drive: str, generator: torch.Generator
) -> None:
    plain, current = make(kind, torch.float64, generator), currents(drive, torch.float64, generator)
    own = (plain.beta, plain.v_threshold, plain.reset, plain.reset_delay, plain.surrogate)
    unmoved = AdaptiveIntegrator(*own, rho=0.9, kappa=0.0)
    assert all(map(torch.equal, by_steps(plain, current), by_steps(unmoved, current)))
    if plain.reset != "zero" or not plain.reset_delay:  # snnTorch's Synaptic then loses a step's current
        instant = SynapticIntegrator(*own, alpha=0.0)
        assert all(map(torch.equal, by_steps(plain, current), by_steps(instant, current)))


@pytest.mark.parametrize("text", SPIKING)
@pytest.mark.parametrize("rest", [1, 3])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("delay", [False, True])
def test_a_refractory_neuron_is_silent_and_held(
    text: str, rest: int, reset: Reset, delay: bool, generator: torch.Generator
) -> None:
    neuron = NEURONS.make(f"{text}:reset={reset}:reset_delay={str(delay).lower()}:refractory={rest}")
    current = currents("strong", torch.float64, generator).abs()
    spikes, before, after = by_steps(neuron, current)
    times = [spikes[:, row, unit].nonzero().flatten() for row in range(ROWS) for unit in range(SIZE)]
    gaps = torch.cat([fired.diff() for fired in times])
    assert int(gaps.min()) == rest + 1
    if rest > 1:  # from the second refractory step on, nothing moves the membrane
        still = (after[2:] - after[1:-1])[spikes[:-2] > 0]
        assert len(still) > 10 and not still.any()
    if reset == "zero" and text != "alif":
        assert not before[1:][spikes[:-1] > 0].any()


def test_a_threshold_rises_with_every_spike_and_falls_back() -> None:
    neuron = NEURONS.make("alif:beta=0:rho=0.5:kappa=2:v_threshold=1:reset=none")
    drive = torch.tensor([2.0, 2.5, 3.5, 2.0, 2.0], dtype=torch.float64).reshape(5, 1, 1)
    spikes, seen, _ = by_steps(neuron, drive)
    # b = 0, 1, 0.5, 1.25, 0.625: thresholds 1, 3, 2, 3.5, 2.25
    assert spikes.flatten().tolist() == [1, 0, 1, 0, 0]
    assert seen.flatten().tolist() == [2, 0.5, 2.5, -0.5, 0.75]


def unit_layer(neuron: Neuron) -> Layer:
    """A layer whose current is its input: identity weights, no bias, no normalisation."""
    entry = Input("ff", NETWORK_INPUT, (), Dense(SIZE), (SIZE,), (SIZE,))
    return Layer("hidden1", (entry,), (SIZE,), neuron, None, "hidden")


def identity(dtype: torch.dtype) -> dict[str, Tensor]:
    return {"hidden1.ff.w": torch.eye(SIZE, dtype=dtype), "hidden1.b": torch.zeros(SIZE, dtype=dtype)}


@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_layer_in_the_fused_scan_is_snntorchs_leaky_bit_for_bit(
    kind: tuple[Reset, bool, bool], dtype: torch.dtype, drive: str, generator: torch.Generator
) -> None:
    neuron, current = make(kind, dtype, generator), currents(drive, dtype, generator)
    activity, carry = run_layer(unit_layer(neuron), identity(dtype), None, {"ff": Series(current, False)}, STEPS)
    spikes, before, _ = by_steps(neuron, current)
    their_spikes, their_membranes = by_snntorch(neuron, current)
    assert torch.equal(activity.S.values, their_spikes) and torch.equal(activity.v.values, before)
    assert torch.equal(spikes, their_spikes)
    assert isinstance(carry.state, MembraneState) and torch.equal(carry.state.membrane, their_membranes[-1])


@pytest.mark.parametrize("drive", DRIVES)
def test_a_layer_run_in_windows_is_the_layer_run_at_once(
    kind: tuple[Reset, bool, bool], drive: str, generator: torch.Generator
) -> None:
    neuron, current = make(kind, torch.float64, generator), currents(drive, torch.float64, generator)
    layer, parameters = unit_layer(neuron), identity(torch.float64)
    whole, _ = run_layer(layer, parameters, None, {"ff": Series(current, False)}, STEPS)
    carry: Carry | None = None
    found = []
    for start in range(0, STEPS, 7):
        piece = current[start : start + 7]
        activity, carry = run_layer(layer, parameters, None, {"ff": Series(piece, False)}, len(piece), carry=carry)
        found.append(activity.v.values)
    assert torch.equal(torch.cat(found), whole.v.values)


def test_a_read_out_is_a_leaky_integrator_without_threshold(generator: torch.Generator) -> None:
    current = currents("strong", torch.float64, generator)
    silent = LeakyIntegrator(0.75, float("inf"), "none", False, make_surrogate("atan"))
    output, before, _ = by_steps(LeakyReadout(0.75), current)
    assert torch.equal(output, before) and torch.equal(before, by_steps(silent, current)[1])
    activity, _ = run_layer(
        unit_layer(LeakyReadout(0.75)), identity(torch.float64), None, {"ff": Series(current, False)}, STEPS
    )
    assert torch.equal(activity.v.values, before)


@pytest.mark.parametrize(
    "text", ["if", "lif", "cuba_lif", "alif", "leaky_readout", "rate", "rate:leak=0.01", "rate:activation=tanh"]
)
def test_psi_of_a_neuron_is_the_derivative_of_its_graded_output(text: str) -> None:
    neuron: Neuron = NEURONS.make(text)
    v = torch.linspace(-2.013, 3.017, 200, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(neuron.primitive(v).sum(), v)
    torch.testing.assert_close(neuron.psi(v.detach()), slope, rtol=1e-12, atol=1e-14)


def test_a_rate_neuron_gives_its_activation_in_one_step(generator: torch.Generator) -> None:
    current = currents("strong", torch.float64, generator)[0]
    for neuron, expected in ((Rate(), torch.relu(current)), (Rate("tanh"), torch.tanh(current))):
        output, observed, _ = neuron.step(neuron.initial(current), current)
        assert torch.equal(output, expected) and torch.equal(observed.v, current) and neuron.steps == 1


@pytest.mark.parametrize(
    "text",
    [
        "lif:beta=1.5",
        "lif:v_threshold=0",
        "if:v_threshold=-1",
        "leaky_readout:beta=-0.1",
        "lif:reset=never",
        "lyf",
        "lif:refractory=-1",
        "cuba_lif:alpha=1.1",
        "alif:rho=-0.5",
        "alif:kappa=-1",
        "rate:leak=1",
        "rate:activation=tanh:leak=0.1",
    ],
)
def test_a_neuron_that_makes_no_sense_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as raised:
        NEURONS.make(text)
    assert "\n" not in str(raised.value)
