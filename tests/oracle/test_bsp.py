"""The BSP reconstruction against mathematics: what its equations promise, and the gradient its reverse circuit is."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from neurorules.causal import influence, ring_chain
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.native.rings import (
    Mode,
    RingSystem,
    coupling_matrix,
    energy,
    field,
    fixed_point,
    fixed_point_gradient,
    native,
    reference,
    reverse_edges,
    reverse_nodes,
    run_edges,
    run_nodes,
)
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.learn import learn_trial

F64 = torch.float64
MODES = ["exact", "final", "fixed", "lead", "discrete"]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def random_ring(seed: int) -> tuple[Tensor, Tensor]:
    """A with a rate of its own for every element, and a fixed point."""
    rates = torch.rand(2, 5, generator=torch.Generator().manual_seed(seed), dtype=F64) + 0.2
    return coupling_matrix(rates[0], rates[1]), (0.4 * drawn(seed, 5)).exp()


@pytest.mark.parametrize("seed", range(5))
def test_the_fixed_point_is_free_and_explicit(seed: int) -> None:
    a, rest = random_ring(seed)
    found = fixed_point(a, -a @ rest)
    torch.testing.assert_close(found, rest, rtol=1e-12, atol=0)
    assert field(a, rest, rest, torch.zeros(5, dtype=F64)).abs().max() == 0


def test_the_matrix_is_self_limitation_and_an_antisymmetric_ring_that_reflection_transposes() -> None:
    a = RingSystem(k2=0.7, k3=1.3).matrix()
    torch.testing.assert_close((a + a.T) / 2, -0.7 * torch.eye(5, dtype=F64))
    reflection = torch.eye(5, dtype=F64)[[0, 4, 3, 2, 1]]
    assert torch.equal(reflection @ a @ reflection, a.T)
    expected = sorted(-2 * 1.3 * math.sin(2 * math.pi * m / 5) for m in range(5))
    found = torch.linalg.eigvals(a)
    torch.testing.assert_close(found.real, torch.full((5,), -0.7, dtype=F64))
    torch.testing.assert_close(found.imag.sort().values, torch.tensor(expected, dtype=F64))


@pytest.mark.parametrize("seed", range(5))
def test_forward_and_reverse_transfer_are_equal_up_to_the_fixed_points_ratio(seed: int) -> None:
    a, rest = random_ring(seed)
    d = torch.diag(rest)
    for time, out, into in itertools.product((0.3, 1.0, 3.0), range(5), range(5)):
        forward = torch.linalg.matrix_exp(d @ a * time)[out, into]
        backward = torch.linalg.matrix_exp(d @ a.T * time)[into, out]
        assert abs(backward - rest[into] / rest[out] * forward) < 1e-12


def run_freely(k2: float, time: float, step: float = 0.005) -> list[Tensor]:
    """V at the start, halfway and at the end of a free run (Runge-Kutta 4)."""
    a, rest = RingSystem(k2=k2).matrix(), torch.ones(5, dtype=F64)
    x, quiet = torch.tensor([1.6, 0.8, 1.1, 0.7, 1.2], dtype=F64), torch.zeros(5, dtype=F64)
    found = [energy(x, rest)]
    half = round(time / step) // 2
    for _ in range(2):
        for _ in range(half):
            k = [field(a, x, rest, quiet)]
            for share in (0.5, 0.5, 1.0):
                k.append(field(a, x + share * step * k[-1], rest, quiet))
            x = x + step / 6 * (k[0] + 2 * k[1] + 2 * k[2] + k[3])
        found.append(energy(x, rest))
    return found


def test_energy_is_conserved_without_self_limitation_and_falls_with_it() -> None:
    start, half, end = run_freely(0.0, 40.0)
    assert start > 0.2 and abs(half / start - 1) < 1e-8 and abs(end / start - 1) < 1e-8
    start, half, end = run_freely(0.5, 40.0)
    assert half < 1e-6 * start and end < 1e-10 * start


SLOPES = {"J": 1, "S": 2, "M": 3, "H": 3, "T": 2}


@pytest.mark.parametrize(("element", "slope"), SLOPES.items())
def test_the_ring_answers_to_each_k1_with_the_slope_that_causal_distance_says(element: str, slope: int) -> None:
    rest = torch.tensor([1.0, 0.8, 1.2, 0.9, 1.1], dtype=F64)
    a, push = RingSystem().matrix(), torch.zeros(5, dtype=F64)
    push["JSMHT".index(element)] = 1e-4
    x, moved, steps = rest.clone(), {}, 400
    for step in range(1, steps + 1):  # Heun, h = 1e-4
        f = field(a, x, rest, push)
        x = x + 5e-5 * (f + field(a, x + 1e-4 * f, rest, push))
        moved[step] = abs(float(x[0] - rest[0]))
    measured = math.log(moved[400] / moved[200]) / math.log(2)
    told = influence(ring_chain(0.5, 1.0, rest.numpy()), f"k1_{element}", "J", time=0.02)
    assert told.distance == slope and abs(measured - slope) < 0.03
    assert moved[200] / 1e-4 == pytest.approx(told.strength, rel=0.03)


def test_causal_distances_add_along_layers_coefficients_multiply_and_turning_round_keeps_both() -> None:
    rest, weight = torch.ones(5, dtype=F64).numpy(), 0.7
    one, three = ring_chain(0.5, 1.0, rest), ring_chain(0.5, 1.0, rest, layers=3, weight=weight)
    short, long = influence(one, "u", "S", 0.1), influence(three, "u", "S3", 0.1)
    assert (short.distance, long.distance) == (2, 6)
    assert long.coefficient == pytest.approx(short.coefficient**3 * weight**2)
    back = three.reversed()
    back.parameters["injected"] = torch.eye(15, dtype=F64)[three.place("S3")].numpy()
    seen = influence(back, "injected", "J1", 0.1)
    assert (seen.distance, seen.coefficient) == (long.distance, pytest.approx(long.coefficient))


def rings(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Errors, drives, fixed points of 6 x 7 neurons."""
    return drawn(seed, 6, 7), 2 * drawn(seed + 1, 6, 7), (0.3 * drawn(seed + 2, 5, 7)).exp()


def test_the_discrete_reverse_ring_is_the_derivative_of_the_forward_run() -> None:
    system, (error, drive, rest) = RingSystem(), rings(0)
    _, final = run_nodes(system, drive, rest)
    arrived, sums = reverse_nodes(system, Mode.DISCRETE, error, drive, rest, final, sums=True)

    def loss(drive: Tensor, log_rest: Tensor) -> Tensor:
        return (error * run_nodes(system, drive, log_rest.exp())[0]).sum()

    for given, found in ((drive, arrived), (rest.log(), sums)):
        assert found is not None
        for place in itertools.product(*(range(n) for n in given.shape)):
            bump = torch.zeros_like(given)
            bump[place] = 1e-5
            args = [(drive + sign * bump, rest.log()) if given is drive else (drive, rest.log() + sign * bump)
                    for sign in (1, -1)]  # fmt: skip
            numeric = (loss(*args[0]) - loss(*args[1])) / 2e-5
            assert abs(numeric - found[place]) < 1e-7 * max(1, abs(numeric))


LIKENESS = {Mode.EXACT: 0.9999, Mode.FINAL: 0.97, Mode.FIXED: 0.9, Mode.LEAD: 0.7}


@pytest.mark.parametrize("mode", LIKENESS)
def test_cheaper_reverse_signals_point_the_way_of_the_exact_one(mode: Mode) -> None:
    system, (error, drive, _) = RingSystem(), rings(3)
    rest = torch.ones(5, 7, dtype=F64)
    _, final = run_nodes(system, drive, rest)
    exact, _ = reverse_nodes(system, Mode.DISCRETE, error, drive, rest, final)
    found, _ = reverse_nodes(system, mode, error, drive, rest, final)
    likeness = torch.nn.functional.cosine_similarity(found.flatten(), exact.flatten(), dim=0)
    assert LIKENESS[mode] < likeness < 1 + 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("mode", Mode)
def test_fused_rings_equal_plain_ones(mode: Mode, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    system, tolerance = RingSystem(k2=0.4, k3=1.2), 3e-6 if dtype == torch.float32 else 1e-13
    error, drive, rest = (2 * drawn(seed, *shape) for seed, shape in enumerate([(9, 21), (9, 21), (5, 21)]))
    error, drive, rest = error.to(dtype), drive.to(dtype), (0.2 * rest).exp().to(dtype)
    edge_drive, edge_error = (drive[:, :6] * (drive[:, :6].abs() > 1)), error[:, :19]
    edge_rest = (0.3 * drawn(4, 5, 6, 19)).exp().to(dtype)

    def everything() -> list[Tensor]:
        out, final = run_nodes(system, drive, rest)
        arrived, sums = reverse_nodes(system, mode, error, drive, rest, final, sums=True)
        assert sums is not None
        edges = run_edges(system, edge_drive, edge_rest)
        back = reverse_edges(system, mode, edge_error, edge_drive, edge_rest)
        return [out, final, arrived, sums, edges, back,
                fixed_point_gradient(system, mode, edge_error, edge_drive, edge_rest)]  # fmt: skip

    assert native.serves(drive)
    fused = everything()
    monkeypatch.setattr(native, "serves", lambda tensor: False)
    for found, plain in zip(fused, everything(), strict=True):
        assert (found - plain).abs().max() < tolerance * plain.abs().max()


def test_the_slope_of_a_five_element_neuron_is_the_derivative_of_its_output() -> None:
    neuron = Learner("7", "bsp", input_shape=(4,), classes=3, precision="float64").model.network.layers[0].neuron
    v = 3 * drawn(5, 2, 4, 7)
    numeric = (neuron.primitive(v + 1e-5) - neuron.primitive(v - 1e-5)) / 2e-5
    torch.testing.assert_close(neuron.psi(v), numeric, rtol=1e-7, atol=1e-9)


def squared_loss(learner: Learner, drive: Tensor, labels: Tensor) -> Tensor:
    target = torch.full((len(labels), 3), -0.2, dtype=F64)
    target[torch.arange(len(labels)), labels] = 0.6
    return ((learner.scores(Series(drive, True)) - target) ** 2).sum() / 2 / len(labels)


@pytest.mark.parametrize("method", ["both", "fixed_points", "nodes"])
def test_what_a_whole_net_asks_for_is_the_gradient_of_its_loss(method: str) -> None:
    learner = Learner(
        "6-5", f"bsp:mode=discrete:method={method}", input_shape=(4,), classes=3, precision="float64", seed=1
    )
    drive, labels = drawn(6, 8, 4), torch.arange(8) % 3
    for name, value in learner.learned.parameters.items():
        if name.endswith("log_rest"):
            value += 0.2 * drawn(7, *value.shape)
    with torch.no_grad():
        trial = learn_trial(learner.model, learner.trial_state(), Series(drive, True), 1, labels, learner.generator)
    assert (
        trial.gradients.keys()
        == {
            "both": {
                f"{layer}.{name}" for layer in ("hidden1", "hidden2", "readout") for name in ("ff.w", "b", "log_rest")
            },
            "fixed_points": {f"{layer}.ff.w" for layer in ("hidden1", "hidden2", "readout")},
            "nodes": {f"{layer}.log_rest" for layer in ("hidden1", "hidden2", "readout")},
        }[method]
    )
    for name, gradient in trial.gradients.items():
        value = learner.learned.parameters[name].view(-1)
        for place in range(0, value.numel(), 3):
            kept, losses = float(value[place]), []
            for sign in (1, -1):
                value[place] = kept + sign * 1e-5
                losses.append(squared_loss(learner, drive, labels))
            value[place] = kept
            numeric = (losses[0] - losses[1]) / 2e-5
            assert abs(numeric - gradient.reshape(-1)[place]) < 1e-7, name


CORNERS = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
XOR = torch.tensor([0, 1, 1, 0])


def solves_xor(rule: str, seed: int, lr: float, updates: int) -> bool:
    learner = Learner("6", rule, input_shape=(2,), classes=2, seed=seed, lr=lr, readout_lr=lr)
    for _ in range(updates):
        learner.step(Series(CORNERS, True), XOR)
    return bool((learner.scores(Series(CORNERS, True)).argmax(1) == XOR).all())


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_connections_learn_xor_for_five_seeds_of_five(mode: str) -> None:
    assert [solves_xor(f"bsp:mode={mode}", seed, 0.03, 100) for seed in range(5)] == [True] * 5


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["exact", "final", "fixed"])
def test_fixed_points_of_connections_learn_xor_for_five_seeds_of_five(mode: str) -> None:
    rule = f"bsp:mode={mode}:method=fixed_points"
    assert [solves_xor(rule, seed, 0.03, 240) for seed in range(5)] == [True] * 5


@pytest.mark.slow
def test_fixed_points_of_nodes_alone_do_not_learn_xor() -> None:
    assert sum(solves_xor("bsp:method=nodes", seed, 0.03, 200) for seed in range(5)) <= 1


def test_a_convolution_and_other_neurons_are_refused_with_what_can_run() -> None:
    with pytest.raises(UserError, match="mirrored connection for each synapse.*--net 100"):
        Learner("c4k3-10", "bsp", input_shape=(1, 6, 6), classes=3)
    with pytest.raises(UserError, match="could read itself.*without r"):
        Learner("r10", "bsp", input_shape=(6,), classes=3)
    with pytest.raises(UserError, match="'hidden1' has none. Use --neuron five_element"):
        Learner("10", "bsp", input_shape=(6,), classes=3, neuron="lif")
    with pytest.raises(UserError, match="'readout' has none. Use --readout-neuron"):
        Learner("10", "bsp", input_shape=(6,), classes=3, readout_neuron="leaky_readout")


def test_steps_that_are_too_long_stop_with_the_layer_and_the_likely_cause() -> None:
    long = "five_element:steps=8:h=2"
    learner = Learner("10", "bsp", input_shape=(6,), classes=3, neuron=long, readout_neuron=long)
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}
    with pytest.raises(UserError, match="'readout' diverged.*shorter step h"):
        for _ in range(20):
            learner.step(Series(20 * torch.ones(4, 6), True), torch.arange(4) % 3)
    assert all(torch.isfinite(value).all() for value in learner.learned.parameters.values()) and before


def test_plain_rings_bound_their_memory_by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    system, drive, rest = RingSystem(), drawn(8, 3, 5), (0.2 * drawn(9, 5, 5, 4)).exp()
    monkeypatch.setattr(native, "serves", lambda tensor: False)
    whole = run_edges(system, drive, rest)
    monkeypatch.setattr("neurorules.native.rings.dispatch.RINGS_AT_ONCE", 24)
    torch.testing.assert_close(run_edges(system, drive, rest), whole)
    x, _ = reference.run(system, system.saturated(drive)[:, :, None], rest[:, None])
    torch.testing.assert_close((x[1] + x[4] - rest[1] - rest[4]).sum(1), whole)
