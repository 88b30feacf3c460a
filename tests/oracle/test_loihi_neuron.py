"""Loihi's neuron and synapse against Lava's numbers, and against the equations in Python's own whole numbers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hardware_models.loihi import kernel
from hardware_models.loihi.cuba_lif import CubaLif, CubaRun, CubaState
from hardware_models.loihi.synapse import Synapse
from neurorules.language.errors import UserError

CASES = json.loads((Path(__file__).parent / "golden" / "lava_lif_bitacc_golden.json").read_text())["cases"]
M = 2**23


def by_hand(neuron: CubaLif, arriving: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Current, membrane before the reset and spikes of one neuron, as the facts of the chip say them."""

    def t(x: int) -> int:
        return (1 if x >= 0 else -1) * (abs(x) >> 12)

    u = v = 0
    us, vs, spikes = [], [], []
    for a in arriving:
        u = t(u * (4096 - (neuron.du + 1))) + (a << 6)
        u = u - 2 * M if u > M else u + 2 * M if u <= -M else u
        v = t(v * (4096 - neuron.dv)) + u + (neuron.bias_mantissa << neuron.bias_exponent)
        v = max(-(M - 1), min(M - 1, v))
        us.append(u)
        vs.append(v)
        spikes.append(int(v > neuron.threshold << 6))
        v = 0 if spikes[-1] else v
    return us, vs, spikes


@pytest.fixture(params=["compiled", "plain torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to run through time."""
    if request.param == "plain torch":
        monkeypatch.setattr(kernel, "library", lambda: None)
    elif kernel.library() is None:
        pytest.skip("no C compiler")
    return request.param


def same(run: CubaRun, us: list, vs: list, spikes: list) -> None:
    assert run.u is not None
    assert run.u.tolist() == us and run.v.tolist() == vs and run.spikes.int().tolist() == spikes


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case["cfg"].values())))
def test_current_membrane_and_spikes_are_those_of_lava(case: dict, way: str) -> None:
    numbers = case["cfg"]
    neuron = CubaLif(*(numbers[key] for key in ("du", "dv", "vth", "bm", "be")))
    run = neuron.run(torch.tensor(case["a_in"]), currents=True)
    same(run, case["u"], case["v_pre_reset"], case["s"])


@pytest.mark.parametrize("seed", range(12))
def test_any_population_of_any_shape_does_what_the_equations_say(seed: int, way: str) -> None:
    draw = random.Random(seed)
    neuron = CubaLif(
        draw.choice([0, 4095, draw.randrange(4096)]), draw.choice([0, 4095, draw.randrange(4096)]),
        draw.choice([0, 131071, draw.randrange(3000)]), draw.randrange(-4096, 4096), draw.randrange(8),
    )  # fmt: skip
    shape = [(1,), (3, 5), (2, 1, 300), (2, 2, 3, 4), (1, 1031)][seed % 5]
    steps, size = draw.randint(1, 12), torch.Size(shape).numel()
    top = draw.choice([200, 2**15 - 1])
    drawn = [[draw.randint(-top - 1, top) for _ in range(size)] for _ in range(steps)]
    run = neuron.run(torch.tensor(drawn).reshape(steps, *shape), currents=True)
    assert run.u is not None and run.spikes.dtype == torch.bool and run.v.dtype == torch.int32
    assert run.spikes.shape == run.v.shape == run.u.shape == (steps, *shape)
    for i, arriving in enumerate(zip(*drawn, strict=True)):
        one = (x.reshape(steps, -1)[:, i] for x in (run.u, run.v, run.spikes.int()))
        assert tuple(x.tolist() for x in one) == by_hand(neuron, list(arriving))


def test_a_run_in_two_windows_is_the_run_in_one(way: str) -> None:
    arriving = torch.randint(-300, 300, (20, 3, 700), generator=torch.Generator().manual_seed(1))
    neuron = CubaLif(400, 100, 90)
    whole, first = neuron.run(arriving), neuron.run(arriving[:7])
    second = neuron.run(arriving[7:], first.state)
    assert torch.equal(torch.cat([first.v, second.v]), whole.v)
    assert torch.equal(torch.cat([first.spikes, second.spikes]), whole.spikes)
    assert all(torch.equal(a, b) for a, b in zip(second.state, whole.state, strict=True))


@pytest.mark.parametrize("u", [-1, 0, 1, M, M - 1, 1 - M])
@pytest.mark.parametrize("du", [0, 4095])
def test_the_ends_of_the_current(u: int, du: int, way: str) -> None:
    state = CubaState(torch.tensor([u], dtype=torch.int32), torch.zeros(1, dtype=torch.int32))
    for a in (0, 1, -1, 2**15 - 1, -(2**15)):
        wanted = (1 if u > 0 else -1) * (abs(u) * (4095 - du) >> 12) + (a << 6)
        wanted = wanted - 2 * M if wanted > M else wanted + 2 * M if wanted <= -M else wanted
        run = CubaLif(du).run(torch.tensor([[a]]), state, currents=True)
        assert run.u is not None and int(run.u) == wanted


def test_what_decays_to_less_than_one_is_zero_on_both_sides(way: str) -> None:
    state = CubaState(*torch.tensor([[-1, 1], [-1, 1]], dtype=torch.int32))
    run = CubaLif(dv=1).run(torch.zeros(1, 2, dtype=torch.int32), state, currents=True)
    assert run.u is not None and not run.u.any() and not run.v.any()


def test_the_current_wraps_and_the_membrane_saturates(way: str) -> None:
    high = CubaState(torch.tensor([M, M]).int(), torch.tensor([0, M - 1]).int())
    # 4095/4096 of 2^23 is 2^23 - 2048, and 32 << 6 is 2048: the current stays at 2^23; one more shift wraps.
    run = CubaLif(threshold=131071).run(torch.tensor([[32, 33]]), high, currents=True)
    assert run.u is not None and run.u.tolist() == [[M, -M + 64]]
    assert run.v.tolist() == [[M - 1, 63]] and run.spikes.tolist() == [[True, False]]


def test_a_membrane_at_the_threshold_does_not_fire(way: str) -> None:
    run = CubaLif(threshold=100).run(torch.tensor([[100, 101]]))
    assert run.spikes.tolist() == [[False, True]] and run.state.v.tolist() == [6400, 0]


@pytest.mark.parametrize("wrong", [{"du": 4096}, {"dv": -1}, {"threshold": 2**17}, {"bias_mantissa": 4096},
                                   {"bias_exponent": 8}])  # fmt: skip
def test_a_number_that_no_register_holds_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        CubaLif(**wrong)


def test_what_is_no_whole_number_is_refused() -> None:
    for wrong in (torch.zeros(3, 2), torch.zeros(0, 2, dtype=torch.int32), torch.tensor(1)):
        with pytest.raises(UserError, match="whole numbers"):
            CubaLif().run(wrong)


@given(st.integers(-400, 400), st.integers(1, 8), st.sampled_from(["mixed", "excitatory", "inhibitory"]))
def test_weights_are_clipped_and_lose_their_lowest_bits(w: int, bits: int, signs: str) -> None:
    low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[signs]
    clipped, n = max(low, min(high, w)), 8 - bits + (signs == "mixed")
    wanted = -((-clipped >> n) << n) if signs == "inhibitory" else (clipped >> n) << n
    synapse = Synapse(bits, signs=signs)  # type: ignore[arg-type]
    assert int(synapse.stored(torch.tensor(w))) == wanted
    assert synapse.lowest <= wanted <= synapse.highest and wanted % synapse.grain == 0
    ends = synapse.stored(torch.tensor([low, high])).tolist()
    assert ends == [synapse.lowest, synapse.highest]


def test_mixed_weights_of_eight_bits_are_even() -> None:
    stored = Synapse().stored(torch.arange(-300, 300))
    assert sorted(set(stored.tolist())) == list(range(-256, 255, 2))


@pytest.mark.parametrize("exponent", [-8, -1, 0, 1, 7])
@pytest.mark.parametrize("fan_in", [3, 80_001])
def test_what_arrives_is_the_shifted_sum_of_the_weights(exponent: int, fan_in: int) -> None:
    generator = torch.Generator().manual_seed(exponent + fan_in)
    w = torch.randint(-128, 128, (3, fan_in), generator=generator)
    w[0] = 255  # all of them make an odd number above 2^24, which single precision does not hold
    spikes = torch.randint(2, (2, 1, fan_in), generator=generator)
    spikes[0] = 1
    arriving = Synapse(exponent=exponent).arriving(w, spikes)
    total = (spikes[..., None, :] * w).sum(-1)
    assert torch.equal(arriving.long(), torch.floor(total.double() * 2.0**exponent).long())
    assert arriving.dtype == (torch.int64 if fan_in > 3 and exponent == 7 else torch.int32)


def test_another_sign_mode_is_refused() -> None:
    with pytest.raises(UserError, match=r"mixed, excitatory or inhibitory"):
        Synapse(signs="both")  # type: ignore[arg-type]


@pytest.mark.cuda
def test_a_gpu_gives_the_same_bits() -> None:
    arriving = torch.randint(-(2**15), 2**15, (30, 4, 50), generator=torch.Generator().manual_seed(2))
    neuron = CubaLif(300, 200, 900, -37, 3)
    here, there = neuron.run(arriving, currents=True), neuron.run(arriving.cuda(), currents=True)
    assert there.u is not None and here.u is not None
    assert torch.equal(here.u, there.u.cpu()) and torch.equal(here.v, there.v.cpu())
    assert torch.equal(here.spikes, there.spikes.cpu())
