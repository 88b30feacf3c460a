"""Neurons and plasticity of chips against loops in Python's whole numbers, over random registers, states and runs."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch

from hardware_models.loihi.cuba_lif import CubaLif, CubaState
from hardware_models.loihi.synapse import Synapse
from hardware_models.odin import OdinLif
from hardware_models.population import Population, Registers
from hardware_models.sdsp import Sdsp, at_bistability, at_presynaptic_spike, calcium_after
from hardware_models.spinnaker import ClosedFormLif
from hardware_models.xylo import XyloLif

M = 2**23
ONE = 2**15


def clip(x: int, low: int, high: int) -> int:
    return max(low, min(high, x))


@pytest.mark.parametrize("seed", range(30))
def test_a_layer_of_loihi_from_weights_to_spikes_over_a_long_run(seed: int) -> None:
    draw = random.Random(seed)
    signs, bits, exponent = draw.choice(("mixed", "excitatory", "inhibitory")), draw.randint(1, 8), draw.randint(-8, 7)
    du, dv = (draw.choice((0, 1, 4094, 4095, draw.randrange(4096))) for _ in range(2))
    threshold = draw.choice((0, 1, 131071, draw.randrange(131072), draw.randrange(500)))
    mantissa, shift = draw.choice((-4096, 4095, 0, draw.randrange(-4096, 4096))), draw.randrange(8)
    chip, synapse = CubaLif(du, dv, threshold, mantissa, shift), Synapse(bits, exponent, signs)  # type: ignore[arg-type]
    wide = draw.choice((9, 300))
    asked = [[draw.randint(-300, 300) for _ in range(5)] for _ in range(3)]
    low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[signs]
    lost = 8 - bits + (signs == "mixed")
    stored = [[clip(w, low, high) for w in row] for row in asked]
    stored = [[-(-w >> lost << lost) if signs == "inhibitory" else w >> lost << lost for w in row] for row in stored]
    spikes = [[draw.random() < 0.4 for _ in range(5)] for _ in range(wide)]
    arriving = [[sum(w for w, s in zip(row, now, strict=True) if s) for row in stored] for now in spikes]
    arriving = [[a << exponent if exponent > 0 else a >> -exponent for a in row] for row in arriving]
    sent = synapse.arriving(synapse.stored(torch.tensor(asked)), torch.tensor(spikes).float())
    assert sent.tolist() == arriving
    u = [draw.choice((0, M, 1 - M, -1, draw.randint(1 - M, M))) for _ in range(3)]
    v = [draw.choice((0, M - 1, 1 - M, -1, draw.randint(1 - M, M - 1))) for _ in range(3)]
    start = CubaState(torch.tensor([u], dtype=torch.int32), torch.tensor([v], dtype=torch.int32))
    run = chip.run(sent[:, None].int(), start, currents=True)
    assert run.u is not None
    for t, row in enumerate(arriving):
        for n, a in enumerate(row):
            u[n] = (1 if u[n] >= 0 else -1) * (abs(u[n]) * (4095 - du) >> 12) + (a << 6)
            u[n] = u[n] - 2 * M if u[n] > M else u[n] + 2 * M if u[n] <= -M else u[n]
            v[n] = (1 if v[n] >= 0 else -1) * (abs(v[n]) * (4096 - dv) >> 12) + u[n] + (mantissa << shift)
            v[n] = clip(v[n], 1 - M, M - 1)
            assert (int(run.u[t, 0, n]), int(run.v[t, 0, n])) == (u[n], v[n])
            assert bool(run.spikes[t, 0, n]) == (v[n] > threshold << 6)
            v[n] = 0 if v[n] > threshold << 6 else v[n]


def xylo(draw: random.Random) -> tuple[Population, tuple[int, int], int, Callable[[int, int, int], tuple]]:
    dash_s, dash_m, most = draw.randint(0, 15), draw.randint(0, 15), draw.choice((1, 2, 31))
    threshold, bias = (
        draw.choice((1, 32767, draw.randint(1, 3000))),
        draw.choice((0, -32768, 32767, draw.randint(-99, 99))),
    )

    def lost(x: int, dash: int) -> int:
        return x >> dash or (x > 0) - (x < 0)

    def step(i: int, v: int, a: int) -> tuple[int, int, int, int]:
        i = clip(i + a, -32768, 32767)
        i -= lost(i, dash_s)
        change = clip(clip(i - lost(v, dash_m), -32768, 32767) + bias, -32768, 32767)
        v, n = clip(v + change, -32768, 32767), 0
        seen = v
        while v >= threshold and n < most:
            v, n = v - threshold, n + 1
        return i, v, n, seen

    return XyloLif(dash_s, dash_m, threshold, bias, most), (-32768, 32767), 40_000, step


def odin(draw: random.Random) -> tuple[Population, tuple[int, int], int, Callable[[int, int, int], tuple]]:
    threshold, leak = draw.choice((1, 255, draw.randint(1, 255))), draw.choice((0, 127, draw.randint(0, 127)))

    def step(i: int, v: int, a: int) -> tuple[int, int, int, int]:
        v = clip(max(v - leak, 0) + a, 0, 255)
        return i, 0 if v >= threshold else v, int(v >= threshold), v

    return OdinLif(threshold, leak), (0, 255), 300, step


def spinnaker(draw: random.Random) -> tuple[Population, tuple[int, int], int, Callable[[int, int, int], tuple]]:
    low, high = -(2**31), 2**31 - 1
    keep_v, keep_u = (draw.choice((0, 1, ONE - 1, draw.randint(0, ONE - 1))) for _ in range(2))
    resistance = draw.choice((None, ONE, round(ONE * ONE / (ONE - keep_v))))
    threshold = draw.choice((None, 1, high, draw.randint(1, 3 * ONE)))

    def times(x: int, y: int) -> int:
        return clip((2 * x * y + ONE) // (2 * ONE), low, high)

    def step(i: int, v: int, a: int) -> tuple[int, int, int, int]:
        i = clip(times(i, keep_u) + clip(a, low, high), low, high)
        if resistance is None:
            v = clip(v + i, low, high)
        else:
            end = times(i, resistance)
            v = clip(end - times(clip(end - v, low, high), keep_v), low, high)
        fires = threshold is not None and v >= threshold
        return i, 0 if fires else v, int(fires), v

    return ClosedFormLif(keep_v, resistance, keep_u, threshold), (low, high), draw.choice((ONE, 2**40)), step


@pytest.mark.parametrize("make", [xylo, odin, spinnaker])
@pytest.mark.parametrize("seed", range(40))
def test_a_neuron_over_a_long_run_from_any_state(make: Callable, seed: int) -> None:
    draw = random.Random(seed)
    chip, (low, high), most, step = make(draw)
    still = make is odin
    i, v = ([draw.choice((low, high, 0, draw.randint(low, high))) for _ in range(4)] for _ in range(2))
    state, i = Registers(torch.tensor([0] * 4 if still else i), torch.tensor(v)), [0] * 4 if still else i
    size = draw.choice((most, 20))
    for _ in range(200):
        arriving = [draw.randint(-size, size) if draw.random() < 0.7 else 0 for _ in range(4)]
        fired, seen, state = chip.step(state, torch.tensor(arriving))
        for n, a in enumerate(arriving):
            i[n], v[n], spikes, at = step(i[n], v[n], a)
            assert (int(state.current[n]), int(state.membrane[n]), int(fired[n]), int(seen[n])) == (
                i[n],
                v[n],
                spikes,
                at,
            )


@pytest.mark.parametrize("seed", range(20))
def test_synapses_of_odin_learn_over_a_long_run_as_their_registers_say(seed: int) -> None:
    draw = random.Random(seed)
    theta, low = draw.randint(0, 255), draw.randint(0, 7)
    down_end, up_end = draw.randint(low, 7), draw.randint(low, 7)
    rule, neuron = Sdsp(theta, low, down_end, up_end), OdinLif(draw.randint(1, 255), draw.randint(0, 20))
    w, v, ca = [draw.randint(0, 7) for _ in range(6)], 0, 0
    weights, calcium = torch.tensor(w), torch.tensor([0])
    state = neuron.initial(calcium)
    for _ in range(300):
        arriving, leaks = draw.randint(-40, 60), draw.random() < 0.2
        fired, _, state = neuron.step(state, torch.tensor([arriving]))
        v = clip(max(v - neuron.leak, 0) + arriving, 0, 255)
        fires, v = v >= neuron.threshold, 0 if v >= neuron.threshold else v
        ca = clip(ca + fires - leaks, 0, 7) if fires != leaks else ca
        calcium = calcium_after(calcium, fired.bool(), leaks)
        assert (int(state.membrane), int(calcium)) == (v, ca)
        up, down = v >= theta and low <= ca < up_end, v < theta and low <= ca < down_end
        flags = rule.flags(state.membrane, calcium)
        assert (bool(flags.up), bool(flags.down)) == (up, down)
        if draw.random() < 0.5:
            weights, w = at_presynaptic_spike(weights, flags), [clip(x + up - down, 0, 7) for x in w]
        if draw.random() < 0.1:
            weights, w = at_bistability(weights), [clip(x + (1 if x >= 4 else -1), 0, 7) for x in w]
        assert weights.tolist() == w
