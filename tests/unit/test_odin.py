"""ODIN: the whole truth table of its plasticity, its neuron of 8 bits, and nets whose weights move step by step."""

from __future__ import annotations

import pytest
import torch

from hardware_models.odin import OdinLif, on_odin
from hardware_models.population import Registers
from hardware_models.sdsp import Flags, Sdsp, at_bistability, at_presynaptic_spike, calcium_after
from neurorules import Learner
from neurorules.contracts.device import DEVICES
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS

NAME = "hidden1.ff.w"
WEIGHTS = torch.arange(8)
TABLE = {
    (True, False): [1, 2, 3, 4, 5, 6, 7, 7],
    (False, True): [0, 0, 1, 2, 3, 4, 5, 6],
    (False, False): [0, 1, 2, 3, 4, 5, 6, 7],
}
"""The weights 0..7 after a presynaptic spike, by the flags up and down."""
BISTABLE = [0, 0, 1, 2, 5, 6, 7, 7]


@pytest.mark.parametrize("flags", TABLE)
def test_a_presynaptic_spike_moves_every_weight_as_its_flags_say(flags: tuple[bool, bool]) -> None:
    assert at_presynaptic_spike(WEIGHTS, Flags(*map(torch.tensor, flags))).tolist() == TABLE[flags]


def test_bistability_drives_every_weight_to_its_nearer_end() -> None:
    assert at_bistability(WEIGHTS).tolist() == BISTABLE


@pytest.mark.parametrize("thetas", [(128, 1, 4, 7), (0, 0, 7, 7), (255, 3, 3, 5), (90, 2, 6, 3)])
def test_flags_are_those_of_all_membranes_and_all_calcium(thetas: tuple[int, int, int, int]) -> None:
    rule = Sdsp(*thetas)
    v, calcium = torch.meshgrid(torch.arange(256), WEIGHTS, indexing="ij")
    up, down = rule.flags(v, calcium)
    theta, low, end_down, end_up = thetas
    for membrane in range(256):
        for ca in range(8):
            wanted_up = membrane >= theta and low <= ca < end_up
            wanted_down = membrane < theta and low <= ca < end_down
            assert (bool(up[membrane, ca]), bool(down[membrane, ca])) == (wanted_up, wanted_down)
    assert not bool((up & down).any())
    assert not any(bool(flag.any()) for flag in rule.flags(v, calcium, enabled=False))


def test_calcium_counts_spikes_up_and_leaks_down() -> None:
    yes, no = torch.ones(8, dtype=torch.bool), torch.zeros(8, dtype=torch.bool)
    assert calcium_after(WEIGHTS, yes, False).tolist() == [1, 2, 3, 4, 5, 6, 7, 7]
    assert calcium_after(WEIGHTS, no, True).tolist() == [0, 0, 1, 2, 3, 4, 5, 6]
    assert calcium_after(WEIGHTS, yes, True).tolist() == calcium_after(WEIGHTS, no, False).tolist() == WEIGHTS.tolist()


def test_a_membrane_has_8_bits_leaks_first_and_fires_at_the_threshold() -> None:
    chip = OdinLif(threshold=200, leak=10)
    before = Registers(torch.zeros(7, dtype=torch.int64), torch.tensor([5, 100, 100, 100, 205, 0, 199]))
    arriving = torch.tensor([3, 109, 110, -95, 1, 300, 0])
    fired, v, after = chip.step(before, arriving)
    assert v.tolist() == [3, 199, 200, 0, 196, 255, 189]
    assert fired.tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert after.membrane.tolist() == [3, 199, 0, 0, 196, 0, 189]


def program(text: str, w: torch.Tensor) -> tuple[torch.Tensor, dict]:
    device = DEVICES.make(text)
    return device.on_parameters(device.init({NAME: tuple(w.shape)}, 0), NAME, w)


def test_all_synapses_of_a_presynaptic_neuron_have_its_sign_and_codes_of_3_bits() -> None:
    w = torch.tensor([[0.7, -0.2, 0.1], [-0.3, -0.36, -0.2], [0.2, 0.1, 0.0]])
    device = DEVICES.make("odin:range=0.7")
    stored, state = program("odin:range=0.7", w)
    assert device.codes(state, NAME, stored).codes.tolist() == [[7, -2, 0], [0, -4, -2], [2, 0, 0]]
    own, state_of_own = program("odin:range=0.7:signs=synapse", w)
    codes = DEVICES.make("odin:signs=synapse").codes(state_of_own, NAME, own)
    assert codes.codes.tolist() == [[7, -2, 1], [-3, -4, -2], [2, 1, 0]] and (codes.lowest, codes.highest) == (-7, 7)
    for sign, ends in ((1.0, [7, 0, 0]), (-1.0, [0, -7, -7])):
        pushed = stored
        for _ in range(15):
            pushed, state = device.on_update(state, NAME, pushed, torch.full_like(w, sign * 100))
        assert device.codes(state, NAME, pushed).codes.tolist() == [ends] * 3


def test_a_change_moves_a_weight_by_one_step_at_most_and_is_right_on_average() -> None:
    device = DEVICES.make("odin:range=7:signs=synapse")
    stored, state = program("odin:range=7:signs=synapse", torch.zeros(300, 300))
    for asked, low, high in ((0.3, 0.0, 1.0), (-0.3, -1.0, 0.0), (5.0, 1.0, 1.0), (-1.0, -1.0, -1.0)):
        moved, after = device.on_update(state, NAME, stored, torch.full((300, 300), asked))
        assert (float(moved.min()), float(moved.max())) == (low, high)
        wanted = max(-1.0, min(1.0, asked))
        assert abs(float(moved.double().mean()) - wanted) <= 4 * (0.21 / 90_000) ** 0.5
        assert not torch.equal(state["generator"], after["generator"])


def test_a_network_computes_what_the_chip_computes() -> None:
    one = Learner("12", "sigprop", input_shape=(1, 5, 5), classes=4, device="cpu", hardware="odin",
                  neuron="lif:reset=zero", norm="none", steps=20)  # fmt: skip
    spikes = (torch.rand(20, 6, 1, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.4).float()
    for seed in range(3):
        one.step(spikes, torch.randint(4, (6,), generator=torch.Generator().manual_seed(seed)))
    one.learned.parameters["hidden1.b"].zero_()
    state = one.store.hardware_state
    codes = DEVICES.make("odin").codes(state, NAME, one.learned.parameters[NAME]).codes
    threshold = round(float(state["hidden1/units"]))
    assert 1 <= threshold <= 255 and int(codes.abs().max()) <= 7 and len(codes.unique()) > 5
    v = torch.zeros(6, 12, dtype=torch.int64)
    activity = one.respond(spikes).activity[0]
    for t, now in enumerate((spikes.flatten(2) @ codes.float().T).long()):
        v = ((v - round(0.1 * threshold / 2)).clamp(min=0) + now).clamp(0, 255)
        assert torch.equal(activity.S.values[t], (v >= threshold).float())
        assert torch.allclose(activity.v.values[t], v / float(state["hidden1/units"]))
        v[v >= threshold] = 0
    assert 0 < float(activity.S.values.mean()) < 1


@pytest.mark.parametrize(
    ("neuron", "said"),
    [("alif", "no neuron like 'alif' .* Use lif or if .and leaky_readout., or --hardware odin:neurons=float"),
     ("izhikevich", "like 'izhikevich'"), ("lif:refractory=2", "like 'lif:refractory=2'"),
     ("lif:reset=none", "reset=zero"), ("if:refractory=3", "like 'if:refractory=3'"),
     ("cuba_lif", "no current that lasts.* Use lif or if, or --hardware odin:neurons=float"),
     ("lif:v_threshold=30", "between 0.1 and 25.5"), ("lif:v_threshold=0.01", "is 0 on ODIN")],
)  # fmt: skip
def test_a_neuron_that_odin_does_not_have_is_refused_in_a_line(neuron: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        on_odin("hidden1", NEURONS.make(neuron), 10.0)
    assert "\n" not in str(refused.value)


def test_a_read_out_stays_beside_the_chip_and_registers_have_widths() -> None:
    read_out = NEURONS.make("leaky_readout")
    assert on_odin("readout", read_out, 10.0) is read_out
    for wrong in ({"threshold": 256}, {"leak": 128}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            OdinLif(**{"threshold": 9, **wrong})
    with pytest.raises(UserError, match="theta_3"):
        Sdsp(theta_3=8)


def test_sdsp_fits_the_chip_and_other_rules_are_told_by_term_what_does_not() -> None:
    from neurorules.runner.fit import fits

    rows = {row["name"]: row for row in fits("odin")}
    assert rows["sdsp"]["fits"] and not rows["dfa"]["fits"] and not rows["stdp"]["fits"]
    why = {m["term"]: m["why"] for m in rows["dfa"]["misfits"]}
    assert why["m_post"] == "the chip has no third factor"
    assert any("presynaptic neuron spikes" in m["why"] for m in rows["stdp"]["misfits"])
