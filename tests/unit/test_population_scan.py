"""The compiled scan of populations that adapt, have synaptic currents or read themselves: against one step after the
other."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import pytest
import torch

from neurorules.contracts.normalisation import first_current_statistics
from neurorules.contracts.series import Series
from neurorules.native import pages, scans
from neurorules.native.scans import build, dispatch
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.rules import RULES
from neurorules.torch_path.forward import fused_loop, run_layer
from neurorules.torch_path.forward.run_layer import Activity, Carry

NEURONS = ["alif", "alif:rho=0.99:kappa=0.5", "cuba_lif", "lif", "if"]
RESETS = list(itertools.product(["subtract", "zero", "none"], ["true", "false"]))
INPUTS = 20


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    assert build.library() is not None


def windows(net: str, neuron: str, norm: str, drive: Series, rows: int, cut: int, grain: int = 0):
    """Run a layer over the first `cut` steps and the others, from weights that are multiples of 1/grain."""
    network = build_network(net, input_shape=(INPUTS,), classes=2, neuron=neuron, norm=norm)
    dtype = drive.values.dtype
    learned = initialise(build_model(network, RULES.make("bptt")), 1, torch.device("cpu"), dtype)
    parameters = {name: (w * grain).round() / grain if grain else w for name, w in learned.parameters.items()}
    layer, outputs, carry = network.layers[0], [], Carry()
    statistics = first_current_statistics(layer.shape, drive.values.new_zeros(rows, *layer.shape))
    statistics = statistics._replace(mean=statistics.mean._replace(value=statistics.mean.value + 0.125))
    steps = 9 if drive.constant else len(drive.values)
    for start, stop in ((0, cut), (cut, steps)):
        activity, carry = run_layer.run_layer(
            layer, parameters, statistics, {layer.inputs[0].name: drive.window(start, stop)}, stop - start,
            carry=carry, training=True,
        )  # fmt: skip
        outputs.append((activity, carry))
    return outputs


def step_by_step(monkeypatch: pytest.MonkeyPatch, *call: object):
    """The same on the plain path."""
    with monkeypatch.context() as patched:
        patched.setattr(run_layer, "run_fused", lambda *call: None)
        return windows(*call)


def told(activity: Activity, carry: Carry) -> dict[str, torch.Tensor]:
    """All tensors that a population leaves, by name."""
    gates = {} if activity.gates is None else {"keep": activity.gates.keep, "admit": activity.gates.admit}
    state = {f"state {n}": part for n, part in enumerate(carry.state or ())}
    late = {name: series.values for name, series in activity.pre.items()}
    return (
        {"v": activity.v.values, "S": activity.S.values, "total": activity.S.total(activity.steps)}
        | gates
        | state
        | late
    )


def spikes(generator: torch.Generator, dtype: torch.dtype, *shape: int) -> Series:
    return Series((torch.rand(*shape, INPUTS, generator=generator) < 0.3).to(dtype), False)


@pytest.mark.parametrize("neuron", NEURONS)
def test_one_scan_does_what_steps_do_bit_for_bit(neuron: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, fired = torch.Generator().manual_seed(5), 0.0
    sizes = [(100, torch.float32), (7, torch.float64), (33, torch.float32), (150, torch.float64), (270, torch.float32)]
    for number, (reset, delay) in enumerate(RESETS):
        size, dtype = sizes[number % len(sizes)]
        rows, steps = int(torch.randint(1, 6, (), generator=generator)), 9
        drive = spikes(generator, dtype, steps, rows)
        if number == 3:
            drive = Series(drive.values[0], True)
        for net, norm in ((f"r{size}", "streaming"), (f"r{size}", "none"), (str(size), "streaming")):
            if net == str(size) and neuron in ("lif", "if"):
                continue  # the scan without loops runs them
            call = (net, f"{neuron}:reset={reset}:reset_delay={delay}", norm, drive, rows, 4, 512)
            for (a, after), (b, wanted) in zip(windows(*call), step_by_step(monkeypatch, *call), strict=True):
                left, right = told(a, after), told(b, wanted)
                assert left.keys() == right.keys()
                assert all(torch.equal(left[name], right[name]) for name in right), (net, reset, delay, norm)
                assert (a.moments is None) == (b.moments is None)
                for x, y in zip(a.moments or (), b.moments or (), strict=True):
                    torch.testing.assert_close(x, y)
                fired += float(a.S.values.mean())
    assert fired > 0.5


def test_of_any_weights_a_first_spike_differs_only_where_the_membrane_is_at_the_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = torch.Generator().manual_seed(6)
    for neuron in ("alif", "cuba_lif"):
        call = ("r130", neuron, "none", spikes(generator, torch.float32, 60, 8), 8, 30)
        for (a, _), (b, _) in zip(windows(*call), step_by_step(monkeypatch, *call), strict=True):
            differs = (a.S.values != b.S.values).any((1, 2)).nonzero()
            if len(differs):
                t = int(differs[0])
                where = a.S.values[t] != b.S.values[t]
                assert (b.v.values[t][where] - 1).abs().max() < 1e-4
                break
        else:
            torch.testing.assert_close(a.v.values, b.v.values, atol=1e-4, rtol=0)


def test_the_number_of_threads_changes_no_bit() -> None:
    call = ("r200", "alif", "none", spikes(torch.Generator().manual_seed(7), torch.float32, 40, 24), 24, 20)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(windows(*call))
    finally:
        torch.set_num_threads(before)
    for (a, after), (b, wanted) in zip(*results, strict=True):
        assert all(torch.equal(value, told(b, wanted)[name]) for name, value in told(a, after).items())


@pytest.mark.parametrize("neuron", ["alif:refractory=2", "adex", "rate"])
def test_neurons_that_the_scan_does_not_know_take_one_step_after_the_other(neuron: str) -> None:
    network = build_network("r5", input_shape=(INPUTS,), classes=2, neuron=neuron, norm="none")
    assert type(network.layers[0].neuron) not in fused_loop.KINDS


def test_a_class_made_of_one_that_the_scan_knows_takes_its_own_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(AdaptiveIntegrator):
        def spikes(self, v: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(v)

    known = build_network("r5", input_shape=(INPUTS,), classes=2, neuron="alif", norm="none").layers[0].neuron
    own = Silent(**{name: getattr(known, name) for name in known.__dataclass_fields__})
    drive = spikes(torch.Generator().manual_seed(9), torch.float32, 9, 3)
    built = build_network
    for neuron, fires in ((known, True), (own, False)):

        def with_neuron(*call: object, taken: object = neuron, **options: object):
            network = built(*call, **options)
            first = replace(network.layers[0], neuron=taken)
            return replace(network, layers=(first, *network.layers[1:]))

        monkeypatch.setitem(globals(), "build_network", with_neuron)
        activity = windows("r5", "alif", "none", drive, 3, 4)[0][0]
        assert bool(activity.S.values.any()) == fires


def test_without_a_compiler_one_line_says_so_and_the_numbers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    call = ("r30", "alif", "none", spikes(torch.Generator().manual_seed(8), torch.float32, 9, 3), 3, 4, 512)
    expected = windows(*call)
    monkeypatch.setattr(build, "find_compiler", lambda: None)
    build.library.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            plain = windows(*call)
        assert len(caught) == 1
        assert "no C compiler was found" in str(caught[0].message)
    finally:
        build.library.cache_clear()
    for (a, after), (b, wanted) in zip(plain, expected, strict=True):
        assert all(torch.equal(value, told(b, wanted)[name]) for name, value in told(a, after).items())


def test_large_tensors_are_as_asked_whatever_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    like = torch.empty(1, dtype=torch.float64)
    advised: list[tuple[int, int, int]] = []
    for advise in (None, lambda *call: advised.append(call) or -1):
        monkeypatch.setattr(pages, "_advise", lambda advise=advise: advise)
        tensor = pages.fresh(3, 1 << 20, like=like, dtype=torch.float32)
        assert (tensor.shape, tensor.dtype, tensor.is_contiguous()) == ((3, 1 << 20), torch.float32, True)
        first, end = tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * 4
    ((start, size, _),) = advised
    assert first <= start < start + size <= end
    assert start % pages.LARGE == size % pages.LARGE == 0


def test_a_scan_is_only_used_where_kernels_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scans.loops(torch.zeros(1))
    assert not scans.loops(torch.zeros(1, dtype=torch.bfloat16))
    assert scans.loops(torch.zeros(1), 1024)
    assert not scans.loops(torch.zeros(1), 1025)
    monkeypatch.setattr(dispatch, "library", lambda: None)
    assert not scans.loops(torch.zeros(1))
