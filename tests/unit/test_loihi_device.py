"""A network on Loihi: its weights, thresholds and neurons are the chip's whole numbers, also while it learns."""

from __future__ import annotations

import pytest
import torch

from hardware_models.devices.loihi import Loihi
from hardware_models.loihi import kernel
from hardware_models.loihi.cuba_lif import CubaLif
from hardware_models.loihi.neuron import LoihiNeuron, on_loihi
from hardware_models.loihi.synapse import Synapse
from neurorules import Learner
from neurorules.contracts.device import DEVICES
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS

NAME, SHAPE, CLASSES = "hidden1.ff.w", (1, 5, 5), 4


def program(text: str, w: torch.Tensor, name: str = NAME, state: dict | None = None) -> tuple[torch.Tensor, dict]:
    device = DEVICES.make(text)
    return device.on_parameters(device.init({name: tuple(w.shape)}, 0) if state is None else state, name, w)


def weights(seed: int = 0, *shape: int) -> torch.Tensor:
    return 0.3 * torch.randn(*(shape or (20, 30)), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("signs", ["mixed", "excitatory", "inhibitory"])
@pytest.mark.parametrize("exponent", [-3, 0, 6])
def test_codes_are_what_the_chips_registers_hold(bits: int, signs: str, exponent: int) -> None:
    text = f"loihi:bits={bits}:signs={signs}:exponent={exponent}:range=0.01"
    w = weights() / 10
    stored, state = program(text, w)
    codes = DEVICES.make(text).codes(state, NAME, stored)
    assert torch.equal(Synapse(bits, 0, signs).stored(codes.codes), codes.codes)  # type: ignore[arg-type]
    units = int(state["hidden1/units"])
    assert 1 <= units <= 131071 and codes.step == 2.0**exponent / units
    inside = (w >= codes.lowest * codes.step) & (w <= codes.highest * codes.step)
    grain = codes.step * Synapse(bits, 0, signs).grain  # type: ignore[arg-type]
    assert bool(inside.any()) and float((stored - w)[inside].abs().max()) <= grain / 2 * (1 + 1e-5)


def test_the_layers_of_a_network_compute_what_the_chip_computes() -> None:
    one = Learner(
        "12-10", "sigprop", input_shape=SHAPE, classes=CLASSES, device="cpu", hardware="loihi",
        neuron="cuba_lif:reset=zero", norm="none", steps=15,
    )  # fmt: skip
    spikes = (torch.rand(15, 6, *SHAPE, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    for seed in range(3):
        one.step(spikes, torch.randint(CLASSES, (6,), generator=torch.Generator().manual_seed(seed)))
    with torch.no_grad():
        for name, value in one.learned.parameters.items():
            if name.endswith(".b"):
                value.zero_()
    fired = spikes.flatten(2)
    for layer, activity in zip(("hidden1", "hidden2", "readout"), one.respond(spikes).activity, strict=True):
        name, state = f"{layer}.ff.w", one.store.hardware_state
        assert isinstance(one.hardware, Loihi)
        codes = one.hardware.codes(state, name, one.learned.parameters[name])
        units = int(state[f"{layer}/units"])
        synapse = Synapse(exponent=int(state[f"{name}/exponent"]))
        alpha, beta, theta = (0.8, 0.9, units) if layer != "readout" else (0.0, 0.0, 131071)
        chip = CubaLif(min(round(4096 * (1 - alpha)) - 1, 4095), min(round(4096 * (1 - beta)), 4095), theta)
        run = chip.run(synapse.arriving(codes.codes, fired))
        assert torch.equal((activity.v.values * units * 64).round().int(), run.v)
        fired = run.spikes.float()
        if layer != "readout":
            assert torch.equal(activity.S.values, fired) and 0 < float(fired.mean()) < 1


def test_weights_stay_on_the_chips_grid_while_a_net_learns() -> None:
    one = Learner("12-10", "sigprop", input_shape=SHAPE, classes=CLASSES, device="cpu", hardware="loihi:bits=5")
    before = one.read()[NAME].clone()
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        one.step(torch.rand(6, 8, *SHAPE, generator=generator), torch.randint(CLASSES, (8,), generator=generator))
    assert isinstance(one.hardware, Loihi)
    codes = one.hardware.codes(one.store.hardware_state, NAME, one.read()[NAME])
    assert not torch.equal(one.read()[NAME], before)
    assert bool((codes.codes % 16 == 0).all()) and int(codes.codes.abs().max()) <= 256
    assert torch.allclose(codes.codes.double() * codes.step, one.read()[NAME].double(), rtol=1e-6, atol=0)


def test_rounding_of_changes_is_right_on_average() -> None:
    text = "loihi:range=1"
    stored, state = program(text, torch.zeros(300, 300))
    grain = 2 / int(state["hidden1/units"])
    moved, after = DEVICES.make(text).on_update(state, NAME, stored, torch.full((300, 300), 0.3 * grain))
    steps = (moved / grain).round()
    assert set(steps.unique().tolist()) == {0.0, 1.0}
    assert abs(float(steps.mean()) - 0.3) <= 4 * (0.21 / 90_000) ** 0.5
    assert not torch.equal(state["generator"], after["generator"])


def test_connections_of_one_layer_share_its_threshold() -> None:
    _, state = program("loihi:headroom=1", weights())
    for scale in (0.02, 1.0, 20.0):
        w = weights(1) * scale
        stored, after = program("loihi:headroom=1", w, "hidden1.rec.w", state)
        assert after["hidden1/units"] == state["hidden1/units"]
        codes = DEVICES.make("loihi").codes(after, "hidden1.rec.w", stored)
        assert codes.step == 2.0 ** int(after["hidden1.rec.w/exponent"]) / int(state["hidden1/units"])
        assert 120 <= int(codes.codes.abs().max()) <= 256
    with pytest.raises(UserError, match=r"exponent \d+, and the chip has -8..7"):
        program("loihi:headroom=1", weights() * 1000, "hidden1.rec.w", state)


@pytest.mark.parametrize("text", ["lif:reset=zero", "if:reset=subtract", "cuba_lif", "leaky_readout:beta=0.5"])
@pytest.mark.parametrize("plain", [False, True])
def test_many_steps_are_the_steps_one_by_one(text: str, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if plain:
        monkeypatch.setattr(kernel, "library", lambda: None)
    neuron = on_loihi("hidden1", NEURONS.make(text), 300)
    currents = torch.randn(9, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    state = neuron.initial(currents[0])
    _, _, state = neuron.step(state, currents[0])
    fired, observed, after = neuron.many_steps(state, currents)
    for t, current in enumerate(currents):
        out, seen, state = neuron.step(state, current)
        assert torch.equal(out, fired[t]) and torch.equal(seen.v, observed.v[t])
        assert seen.gates is not None and observed.gates is not None
        assert torch.equal(seen.gates.keep, observed.gates.keep[t])
    assert all(torch.equal(a, b) for a, b in zip(state, after, strict=True))


def test_its_gates_are_the_slopes_of_its_step() -> None:
    neuron = on_loihi("hidden1", NEURONS.make("cuba_lif:reset=zero"), 20_000)
    current = 0.4 * torch.randn(6, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    state = neuron.initial(current[0])
    for now in current:
        moved = state._replace(membrane=state.membrane + 40_000 * (~state.spikes))
        (_, seen, after), (_, other, _) = neuron.step(state, now), neuron.step(moved, now)
        assert seen.gates is not None
        slope = (other.v - seen.v) / (40_000 / (64 * 20_000))
        assert torch.allclose(slope, seen.gates.keep, atol=1e-3) and bool((seen.gates.admit == 1).all())
        state = after
    high = neuron.initial(current[0])._replace(membrane=torch.full((40,), 2**23 - 1, dtype=torch.int32))
    _, full, _ = neuron.step(high, torch.full_like(current[0], 5.0))
    assert full.gates is not None and not full.gates.keep.any() and not full.gates.admit.any()


@pytest.mark.parametrize(
    ("neuron", "said"),
    [("alif", "no neuron like"), ("lif:reset=none", "reset=zero"), ("lif:refractory=2", "no neuron like"),
     ("lif:v_threshold=1000", "threshold of 437 at most")],
)  # fmt: skip
def test_a_neuron_that_loihi_does_not_have_is_refused(neuron: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        on_loihi("hidden1", NEURONS.make(neuron), 300)
    assert "\n" not in str(refused.value)


def test_weights_that_no_width_holds_are_refused_with_what_does() -> None:
    with pytest.raises(UserError, match=r"exponent=3"):
        program("loihi:range=2000", weights())
    assert int(program("loihi:range=2000:exponent=3", weights())[1]["hidden1/units"]) == 1
    with pytest.raises(UserError, match=r"a range of 32768 at most"):
        program("loihi:range=1e6", weights())


def test_float_neurons_leave_those_of_the_network() -> None:
    neuron = NEURONS.make("alif")
    assert DEVICES.make("loihi:neurons=float").on_neuron({}, "hidden1", neuron) is neuron
    assert isinstance(
        DEVICES.make("loihi").on_neuron({"x/units": torch.tensor(9)}, "x", NEURONS.make("if")), LoihiNeuron
    )
