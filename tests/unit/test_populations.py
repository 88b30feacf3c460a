"""Excitatory and inhibitory populations: receptors, wiring, Dale's law, Poisson input, and rules that learn on them."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import neurorules
from neurorules import brian2_populations as populations
from neurorules.language.errors import UserError

brian2 = pytest.importorskip("brian2")
from brian2 import Hz, ms, mV, nS, pA, second  # noqa: E402

DEMOS = Path(__file__).parents[2] / "demos" / "networks"
RANDOM = np.random.default_rng(0)
ALL = populations.Pairs(np.array([0]), np.array([0]))


@pytest.fixture(autouse=True)
def numpy_target() -> Iterator[None]:
    """A user's session of Brian2 that needs no compiler, with a step of half a millisecond."""
    before, dt = brian2.prefs.codegen.target, brian2.defaultclock.dt
    brian2.prefs.codegen.target, brian2.defaultclock.dt = "numpy", 0.5 * ms
    yield
    brian2.prefs.codegen.target, brian2.defaultclock.dt = before, dt


def receptors() -> tuple[populations.Receptor, populations.Receptor]:
    return (
        populations.conductance("e", "excitatory", 5 * ms, 0 * mV),
        populations.conductance("i", "inhibitory", 10 * ms, -80 * mV),
    )


def relays(size: int, name: str = "relays*") -> Any:
    """Neurons that spike where what arrives is above a threshold."""
    return brian2.NeuronGroup(size, "v : 1", threshold="v > 0.5", reset="v = 0", name=name)


def test_conductances_are_those_of_a_network_written_by_hand_spike_for_spike() -> None:
    """COBA with 200 cells: the same wires and first membranes, in plain Brian2 with one group and no receptors."""
    random = np.random.default_rng(3)
    first, pairs = random.uniform(-60, -50, 200), populations.random_pairs(200, 200, 0.4, random)
    found = []
    for ours in (True, False):
        text = (
            populations.synaptic_equations(*receptors())
            if ours
            else "dg_e/dt = -g_e/(5*ms) : siemens\ndg_i/dt = -g_i/(10*ms) : siemens\n"
            "I_syn = g_e*(0*mV - v) + g_i*(-80*mV - v) : amp"
        )
        cells = brian2.NeuronGroup(
            200, "dv/dt = (10*nS*(-60*mV - v) + 150*pA + I_syn)/(200*pF) : volt (unless refractory)\n" + text,
            threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exponential_euler",
        )  # fmt: skip
        cells.v = first * mV
        excites = pairs.pre < 160
        parts = []
        for side, group, strength, receptor in zip(
            (excites, ~excites), (cells[:160], cells[160:]), (6 * nS, 67 * nS), receptors(), strict=True
        ):
            pre, post = pairs.pre[side], pairs.post[side]
            if ours:
                own = populations.Pairs(pre - (0 if side is excites else 160), post)
                parts.append(populations.projection(group, cells, receptor, own, strength, delay=1 * ms))
                continue
            synapses = brian2.Synapses(
                cells, cells, on_pre=f"{receptor.variable} += {strength / nS!r}*nS", delay=1 * ms
            )
            synapses.connect(i=pre, j=post)
            parts.append(synapses)
        monitor = brian2.SpikeMonitor(cells)
        brian2.Network(cells, *parts, monitor).run(120 * ms, namespace={})
        found.append((np.asarray(monitor.i), np.asarray(monitor.t)))
        if ours:
            populations.check_dale(*parts)
    assert len(found[0][0]) > 200
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def pairwise(rule: str, pre: np.ndarray, post: np.ndarray, delay: float, w: float, lr: float) -> float:
    """A weight after two spike trains in ms, by loops over spikes written from the papers.

    "both": a pair in one step counts in both windows; "neither": in none. "soft": a step is w or 1 - w times as large.
    "triplet": Pfister and Gerstner's minimal-parameter values of this package.
    """
    arrived, events = [time + delay for time in pre], []
    events += [(time, "pre") for time in arrived] + [(time, "post") for time in post]
    for time, kind in sorted(events):  # "post" sorts before "pre"; no test has both windows depend on w in one step

        def trace(spikes: Any, tau: float, now: float = time, own: bool = False) -> float:
            return sum(np.exp((s - now) / tau) for s in spikes if s < now or (own and s == now))

        if rule in ("both", "neither"):
            own = rule == "both"
            w += lr * (trace(arrived, 20, own=own) if kind == "post" else -1.05 * trace(post, 20, own=own))
        elif rule == "soft":
            w += lr * 0.01 * (trace(arrived, 20) * (1 - w) if kind == "post" else -trace(post, 20) * w)
        elif kind == "post":
            w += lr * trace(arrived, 16.8) * (5e-10 + 6.2e-3 * trace(post, 125))
        else:
            w -= lr * trace(post, 33.7) * (7e-3 + 2.3e-4 * trace(arrived, 101))
        w = min(max(w, 0.0), 1.0)
    return w


@pytest.mark.parametrize(
    ("rule", "text", "lr"),
    [
        ("both", "stdp:a_plus=1:a_minus=1.05:decay={d}", 0.01),
        ("neither", "stdp:a_plus=1:a_minus=1.05:decay={d}:same_step=neither", 0.01),
        ("soft", "weight_dependent_stdp", 3.0),
        ("triplet", "triplet_stdp", 1.5),
    ],
)
@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_a_projection_learns_what_loops_over_spikes_say(rule: str, text: str, lr: float, delay: float) -> None:
    pre, post = np.array([3.0, 10.5, 11.0, 30.0, 42.0]), np.array([5.0, 11.0, 13.0, 36.0, 42.0])
    if rule == "soft":
        pre = pre + 0.5 * (pre == 42) + 0.5 * (pre == 11)  # no pair within one step, with and without the delay
    drive = brian2.SpikeGeneratorGroup(2, [0] * len(pre) + [1] * len(post), np.concatenate([pre, post]) * ms)
    cell = relays(1)
    forced = brian2.Synapses(drive, cell, on_pre="v_post += 1")
    forced.connect(i=1, j=0)
    forced.pre.order = -1  # The relay is compared with its threshold in the next step, half a millisecond later.
    learning = populations.projection(
        drive, cell, populations.jump("v", "excitatory", "1"), ALL, 0.0, w=0.5, lr=lr, delay=(delay + 0.5) * ms,
        rule=text.format(d=float(np.exp(-1 / 20))),
    )  # fmt: skip
    monitor = brian2.SpikeMonitor(cell)
    brian2.Network(drive, cell, forced, learning, monitor).run(50 * ms)
    np.testing.assert_allclose(np.asarray(monitor.t / ms), post + 0.5)
    expected = pairwise(rule, pre, post, delay, 0.5, lr)
    np.testing.assert_allclose(learning.w[0], expected, rtol=0, atol=1e-12)
    assert abs(expected - 0.5) > 1e-3


def test_a_rule_without_spikes_in_its_text_learns_at_every_step() -> None:
    """Oja's dw = lr (y x - y^2 w) for each millisecond, by a loop over steps of half a millisecond."""
    times = np.array([1.0, 4.0, 5.0, 9.0])
    drive = brian2.SpikeGeneratorGroup(1, [0] * 4, times * ms)
    cell = relays(1)
    learning = populations.projection(
        drive, cell, populations.jump("v", "excitatory", "1"), ALL, 2.0, w=0.4, lr=0.05, rule="oja"
    )
    brian2.Network(drive, cell, learning).run(12 * ms)
    x = y = 0.0
    w, spiked = 0.4, False
    for step in range(24):
        x, y = x * 0.8**0.5, y * 0.8**0.5
        arrives = bool((times == step / 2).any())
        x, y = x + arrives, y + spiked
        spiked = arrives and w * 2.0 > 0.5
        w = max(w + 0.5 * 0.05 * (y * x - y * y * w), 0.0)
    np.testing.assert_allclose(learning.w[0], w, rtol=0, atol=1e-12)
    assert abs(w - 0.4) > 0.01


def test_weights_stay_on_their_side_of_zero_while_a_rule_pushes_them_across() -> None:
    """Only depression, far more than there is to lose; the rule itself lets weights fall to -1."""
    random = np.random.default_rng(0)
    drive = populations.poisson_spikes(20, 80 * Hz, 200 * ms, random)
    cell = relays(4)
    learning = populations.projection(
        drive, cell, populations.jump("v", "inhibitory", "1"), populations.random_pairs(20, 4, 1.0, random), 0.1,
        w=random.uniform(0, 1, 80), lr=5.0, rule="stdp:a_plus=0",
    )  # fmt: skip
    kick = populations.projection(
        populations.poisson_spikes(4, 60 * Hz, 200 * ms, random), cell, populations.jump("v", "excitatory", "1"),
        populations.random_pairs(4, 4, 1.0, random), 1.0,
    )  # fmt: skip
    history = brian2.StateMonitor(learning, "w", record=True)
    net = brian2.Network(*{kick.source, drive, cell, learning, kick, history})
    net.run(200 * ms)
    populations.check_dale(learning, kick)
    assert history.w.min() == 0.0 and (learning.w[:] == 0).sum() > 20
    learning.w[3] = -0.01
    with pytest.raises(UserError, match="synapse 3 of .* has w = -0.01, which is on the other side of zero"):
        populations.check_dale(learning)


def test_a_neuron_that_excites_and_inhibits_is_named() -> None:
    cells = relays(6, "cells_of_both")
    one = populations.projection(cells[2:], cells, populations.jump("v", "excitatory", "1"), ALL, 1.0, name="plus")
    other = populations.projection(cells[:2], cells, populations.jump("v", "inhibitory", "1"), ALL, 1.0, name="minus")
    populations.check_dale(one, other)
    pairs = populations.Pairs(np.array([2]), np.array([5]))
    third = populations.projection(cells, cells, populations.jump("v", "inhibitory", "1"), pairs, 1.0, name="both")
    with pytest.raises(
        UserError, match="neuron 2 of 'cells_of_both' excites through 'plus' and inhibits through 'both'"
    ):
        populations.check_dale(one, other, third)


def test_an_inhibitory_population_of_conductances_joins_a_circuit_of_this_package() -> None:
    circuit = neurorules.brian2_circuit("drtp", data="digits", net="4", neuron="lif", limit=4, validation=0)
    hidden = circuit.groups["hidden1"]
    excites = populations.conductance("e", "excitatory", 5 * ms, 0 * mV)
    inhibitory = brian2.NeuronGroup(
        3, "dv/dt = (10*nS*(-70*mV - v) + I_syn)/(200*pF) : volt\n" + populations.synaptic_equations(excites),
        threshold="v > -50*mV", reset="v = -70*mV", method="exponential_euler", clock=circuit.clock,
    )  # fmt: skip
    inhibitory.v = -70 * mV
    random = np.random.default_rng(0)
    there = populations.projection(
        hidden, inhibitory, excites, populations.random_pairs(4, 3, 1.0, random), 30 * nS, clock=circuit.clock
    )
    back = populations.projection(
        inhibitory, hidden, populations.jump("I_in", "inhibitory", "1"), populations.random_pairs(3, 4, 1.0, random),
        0.5, clock=circuit.clock,
    )  # fmt: skip
    populations.check_dale(there, back)
    counted, currents = brian2.SpikeMonitor(inhibitory), brian2.StateMonitor(hidden, "I_in", True, clock=circuit.clock)
    circuit.network.add(inhibitory, there, back, counted, currents)
    circuit.network.run(circuit.duration)
    assert counted.num_spikes > 5 and currents.I_in.min() < -0.4


def test_poisson_spikes_have_their_rate_and_leave_brian2s_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rates = np.array([0.0, 20.0, 200.0, 2000.0])
    groups = [populations.poisson_spikes(4, rates * Hz, 20 * second, np.random.default_rng(5)) for _ in range(2)]
    populations.random_pairs(30, 30, 0.5, np.random.default_rng(0))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    neurons, times = (np.asarray(getattr(groups[0], name)) for name in ("_neuron_index", "_spike_time"))
    assert np.array_equal(times, np.asarray(groups[1]._spike_time))
    counts = np.bincount(neurons, minlength=4)
    assert counts[0] == 0 and counts[3] == 40000  # one in each step
    assert (np.abs(counts[1:3] - rates[1:3] * 20) < 4 * np.sqrt(rates[1:3] * 20)).all()
    steps = np.round(times[neurons == 2] / 5e-4)
    gaps = np.diff(np.sort(steps))
    assert gaps.min() == 1 and abs((gaps == 1).mean() - 0.1) < 0.03  # a spike in the next step is as likely as ever
    with pytest.raises(UserError, match="outside of 0 to"):
        populations.poisson_spikes(1, 2001 * Hz, 1 * second, np.random.default_rng(0))


def test_distances_decide_who_is_connected_and_how_late() -> None:
    random = np.random.default_rng(1)
    line = np.arange(400.0)[:, None]
    pairs, distance = populations.distance_pairs(line, line, 0.6, 40.0, random, box_um=400)
    gap = np.abs(pairs.pre - pairs.post)
    np.testing.assert_array_equal(distance, np.minimum(gap, 400 - gap))  # the ends of the line touch
    counts = np.bincount(distance.astype(int), minlength=201)[1:120] / 800  # two neurons at each distance
    expected = 0.6 * np.exp(-(np.arange(1, 120) ** 2) / (2 * 40.0**2))
    assert np.abs(counts - expected).max() < 5 * np.sqrt(0.25 / 800)
    assert distance.min() > 0
    open_ends, far = populations.distance_pairs(line, line, 0.6, 40.0, random)
    np.testing.assert_array_equal(far, np.abs(open_ends.pre - open_ends.post))
    fixed = populations.indegree_pairs(50, 7, 12, random)
    assert (np.bincount(fixed.post) == 12).all() and len(set(zip(fixed.pre, fixed.post, strict=True))) == 84


def test_a_delay_of_each_synapse_is_when_its_spike_arrives() -> None:
    drive = brian2.SpikeGeneratorGroup(1, [0], [1] * ms)
    cell = relays(2)
    pairs = populations.Pairs(np.array([0, 0]), np.array([0, 1]))
    one = populations.projection(
        drive, cell, populations.jump("v", "excitatory", "1"), pairs, 1.0, delay=np.array([1.5, 4.0]) * ms
    )
    monitor = brian2.SpikeMonitor(cell)
    brian2.Network(drive, cell, one, monitor).run(8 * ms)
    np.testing.assert_allclose(np.asarray(monitor.t / ms), [3.0, 5.5])  # and compared one step later
    np.testing.assert_array_equal(monitor.i, [0, 1])


def test_parameters_have_the_distribution_that_was_asked_for() -> None:
    random = np.random.default_rng(4)
    cut = populations.truncated_normal(4000, 20 * ms, 10 * ms, 10 * ms, 25 * ms, random)
    assert cut.min() >= 10 * ms and cut.max() <= 25 * ms
    assert abs((np.asarray(cut / ms) < 20).mean() - 0.3413 / (0.3413 + 0.1915)) < 0.03
    skewed = np.asarray(populations.log_normal(40000, 0.5 * nS, 0.4 * nS, random) / nS)
    assert skewed.min() > 0 and abs(skewed.mean() - 0.5) < 0.01 and abs(skewed.std() - 0.4) < 0.02
    assert np.median(skewed) < 0.45


def test_a_clock_is_regular_and_a_poisson_process_is_not() -> None:
    random = np.random.default_rng(2)
    clocks = brian2.SpikeGeneratorGroup(2, [0] * 50, np.arange(50) * 20 * ms)
    noise = populations.poisson_spikes(40, 40 * Hz, 1 * second, random)
    monitors = [brian2.SpikeMonitor(one) for one in (clocks, noise)]
    brian2.Network(clocks, noise, *monitors).run(1 * second)
    regular, irregular = (populations.firing(one, 0 * second, 1 * second) for one in monitors)
    assert regular.rate_hz == pytest.approx(25) and regular.cv == pytest.approx(0, abs=1e-9)
    assert irregular.rate_hz == pytest.approx(40, rel=0.1) and irregular.cv == pytest.approx(1, abs=0.1)
    assert np.isnan(populations.firing(monitors[0], 0 * second, 30 * ms).cv)


def test_normalised_weights_have_one_sum_and_keep_their_ratios() -> None:
    random = np.random.default_rng(6)
    drive, cells = populations.poisson_spikes(5, 40 * Hz, 60 * ms, random), relays(9)
    pairs = populations.random_pairs(5, 3, 0.8, random)
    excites = populations.jump("v", "excitatory", "1")
    learning = populations.projection(drive, cells[2:5], excites, pairs, 1.0, rule="stdp", w=random.random(len(pairs)))
    fixed = populations.projection(drive, cells[2:5], excites, pairs, 0.25)
    first = np.array(learning.w)
    totals = np.array([1.5, 2.0, 0.5])
    both = [
        populations.weight_normalisation(learning, totals, 20 * ms),
        populations.weight_normalisation(fixed, 3.0, 20 * ms),
    ]
    network = brian2.Network(drive, cells, learning, fixed, *both)
    network.run(0.5 * ms)  # at the beginning, before anything is learned
    sums = np.array([first[pairs.post == post].sum() for post in range(3)])
    np.testing.assert_allclose(learning.w, first * (totals / sums)[pairs.post], rtol=1e-12)
    np.testing.assert_allclose(np.bincount(pairs.post, np.asarray(fixed.weight)), 3.0, rtol=1e-12)
    network.run(40 * ms)  # the last normalisation was in its last step
    np.testing.assert_allclose(np.bincount(pairs.post, np.asarray(learning.w)), totals, rtol=1e-9)
    assert not np.allclose(learning.w, first * (totals / sums)[pairs.post])


def test_scaled_weights_follow_the_solution_for_a_constant_rate() -> None:
    """Neurons fire at 0, 50 and 100 Hz by themselves: w(T) = w(0) exp(T/tau (1 - r/50 Hz)), up to the bound."""
    drive = brian2.SpikeGeneratorGroup(2, [0], [1] * ms)
    periods = np.array([1e9, 40, 20])
    cells = brian2.NeuronGroup(3, "n : 1\nperiod : 1\nx : 1", threshold="n >= period", reset="n = 0")
    cells.run_regularly("n += 1", when="start", order=1)
    cells.period = periods
    pairs = populations.random_pairs(2, 3, 1.0, RANDOM)
    synapses = populations.projection(drive, cells, populations.jump("x", "excitatory", "1"), pairs, [1, 1, 1, 2, 2, 2])
    scaling = populations.synaptic_scaling(synapses, 50 * Hz, 0.4 * second, 100 * ms, high=4.0)
    brian2.Network(drive, cells, synapses, scaling).run(400.5 * ms)
    grown = np.exp(1 - np.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(synapses.weight, [*grown, min(2 * grown[0], 4.0), *(2 * grown[1:])], rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: populations.weight_normalisation(made(), 0.0, 1 * ms), "total of normalisation is 0. Give"),
        (lambda: populations.weight_normalisation(made(), 2 * nS, 1 * ms), "total of normalisation is 2. nS, which is"),
        (lambda: populations.weight_normalisation(made(), 1.0, 3 * mV), "every of normalisation is 3. mV, which"),
        (lambda: populations.synaptic_scaling(made(), 5 * ms, 1 * second, 1 * second), "rate of scaling is 5. ms"),
        (lambda: populations.synaptic_scaling(made(), 5 * Hz, -1 * second, 1 * second), "tau of scaling is -1. Give"),
        (lambda: populations.conductance("e", "excitatory", 5 * mV, 0 * mV), "tau of a receptor is .* number of ms"),
        (lambda: populations.conductance("e", "excitatory", 5 * ms, 3 * pA), "reversal of a receptor is .* mV"),
        (lambda: populations.current("e", "excitatory", -5 * ms), "tau of a receptor is -5 ms"),
        (lambda: populations.current("1e", "excitatory", 5 * ms), "which cannot stand in an equation"),
        (lambda: populations.jump("v", "modulatory"), "kind 'modulatory'. Use excitatory or inhibitory"),
        (lambda: populations.synaptic_equations(receptors()[0], receptors()[0]), "currents I_e, I_e"),
        (lambda: populations.indegree_pairs(3, 5, 4, np.random.default_rng(0)), "from 4 sources, and there are 3"),
        (lambda: populations.distance_pairs(np.zeros((2, 1)), np.zeros((2, 2)), 0.5, 1, RANDOM), "one row for each"),
        (lambda: populations.distance_pairs(np.zeros((2, 1)), np.zeros((2, 1)), 1.5, 1, RANDOM), "a peak in 0..1"),
        (lambda: populations.truncated_normal(3, 1.0, 1.0, 2.0, 1.0, RANDOM), "low below high"),
        (lambda: populations.log_normal(3, -1.0, 1.0, RANDOM), "both above 0"),
        (lambda: made(weight=-1.0), "synapse 0 of .* has weight = -1"),
        (lambda: made(pairs=populations.Pairs(np.array([1]), np.array([0]))), "neuron 1 of the source, which has 1"),
        (lambda: made(rule="drtp"), "rule 'drtp' has the learning signal"),
        (lambda: made(rule="bcm"), "its trace 'theta' belongs to the neuron"),
        (lambda: made(rule="sdsp"), "reads the membrane in thresholds"),
        (lambda: made(rule="stpd"), "stdp"),
        (lambda: made(weight=2 * nS), "weight of projection .* has another unit: .*Give a number of 1, as v is"),
        (lambda: made(delay=2 * mV), "delay of projection .* has another unit: .*Give a time"),
        (lambda: made(receptor=populations.jump("v", "excitatory", "volt")), "'v' of group .* counts in 1, and the"),
        (lambda: made(receptor=receptors()[0]), "has no variable 'g_e', which spikes change"),
        (lambda: populations.current("syn", "excitatory", 5 * ms), "I_syn is the sum of all"),
        (lambda: populations.poisson_spikes(3, 5, 100 * ms, RANDOM), "rate of Poisson input is 5, which is not"),
        (lambda: populations.poisson_spikes(3, 5 * Hz, 100, RANDOM), "duration of Poisson input is 100, which is no"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(call: Any, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def made(**changed: Any) -> Any:
    drive = brian2.SpikeGeneratorGroup(1, [0], [1] * ms)
    given = {"receptor": populations.jump("v", "excitatory", "1"), "pairs": ALL, "weight": 1.0, **changed}
    return populations.projection(drive, relays(1), **given)


def test_brunels_network_is_that_of_brian2_alone_spike_for_spike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by hand, with the wires of the demo: cells, synapses and inputs of Brian2, and nothing of ours."""
    mpl.use("agg")
    path = DEMOS / "brunel.py"
    monkeypatch.setattr(sys, "argv", [str(path), "0.05", "300"])
    try:
        demo = runpy.run_path(str(path))
    finally:
        plt.close("all")
    random = np.random.default_rng(0)
    brian2.seed(0)
    cells = brian2.NeuronGroup(
        300, "dv/dt = -v/(20*ms) : volt (unless refractory)", threshold="v >= 20*mV", reset="v = 10*mV",
        refractory=2 * ms, method="exact",
    )  # fmt: skip
    cells.v = random.uniform(0, 20, 300) * mV
    synapses = []
    for part, change in zip(demo["projections"], ("v_post += 100.0/24*mV", "v_post -= 500.0/24*mV"), strict=True):
        first = 0 if "+" in change else 240
        synapses.append(brian2.Synapses(cells, cells, on_pre=change, delay=1.5 * ms))
        synapses[-1].connect(i=np.asarray(part.i) + first, j=np.asarray(part.j))
    outside = brian2.PoissonInput(cells, "v", N=24, rate=2 * 20 / (100 * 0.02) * Hz, weight=100 / 24 * mV)
    spikes = brian2.SpikeMonitor(cells)
    brian2.Network(cells, *synapses, outside, spikes).run(50 * ms)
    assert len(spikes.i) > 300
    np.testing.assert_array_equal(np.asarray(spikes.i), np.asarray(demo["spikes"].i))
    np.testing.assert_array_equal(np.asarray(spikes.t), np.asarray(demo["spikes"].t))


def test_brunels_network_fires_at_the_rate_of_the_papers_equations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mpl.use("agg")
    path = DEMOS / "brunel.py"
    monkeypatch.setattr(sys, "argv", [str(path), "0.3", "1500"])
    try:
        runpy.run_path(str(path))
    finally:
        plt.close("all")
    excitatory, _, expected, whole = capsys.readouterr().out.splitlines()
    rate, cv = float(excitatory.split(": ")[1].split(" Hz")[0]), float(excitatory.split()[-1])
    assert abs(rate / float(expected.split(": ")[1].split(" Hz")[0]) - 1) < 0.15
    assert 0.8 < cv < 1.4
    assert whole.startswith("of the paper's 12,500 cells: 37.9 Hz by its equations")


@pytest.mark.parametrize(
    ("demo", "arguments", "rates"),
    [
        ("cuba", ["0.06", "400"], (1, 20)),
        ("coba", ["0.06", "400"], (1, 60)),
        ("stdp_under_dales_law", ["0.1"], (2, 90)),
        ("brunel", ["0.06", "500"], (10, 90)),
    ],
)
def test_a_demo_runs_in_a_short_version(
    demo: str, arguments: list[str], rates: tuple[int, int], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    mpl.use("agg")
    brian2.defaultclock.dt = 0.1 * ms
    path = DEMOS / f"{demo}.py"
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    try:
        runpy.run_path(str(path))
    finally:
        plt.close("all")
    said = [line for line in capsys.readouterr().out.splitlines() if " Hz, CV of intervals" in line]
    assert len(said) == 2
    for line in said:
        assert rates[0] < float(line.split(": ")[1].split(" Hz")[0]) < rates[1]
    assert len(path.read_text().splitlines()) < 100
