"""BrainScaleS-2: 6-bit weights with a sign, fixed patterns of synapses and neurons, membranes read by an 8-bit ADC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from hardware_models.chip import Rounding, generator_of, room_of
from hardware_models.grid import Grid
from hardware_models.grid_chip import GridChip
from hardware_models.mismatch import draw_gains, log_normal_gain, through_gains
from hardware_models.readout_noise import at_each_step, generator_at
from hardware_models.rounding import half_away
from hardware_models.traffic import Widths
from neurorules.contracts.device_hooks import Place
from neurorules.language.ranges import NonNegative, Positive, Whole, ranged

LARGEST_CODE = 63
"""The largest code of a weight, of the 6 bits of each sign: an excitatory and an inhibitory row make one weight with a
sign. Source: hxtorch, `linear_saturating`."""
REST_LSB, THRESHOLD_LSB = 80, 150
"""The ADC's code of a membrane at rest and at the threshold. Source: hxtorch, the defaults of its import of NIR."""
HIGHEST_LSB = 255
"""The highest code of the columnar ADC, of 8 bits. From memory (Cramer et al. 2022, PNAS 119); not checked."""


@ranged("device 'brainscales2'")
@dataclass(frozen=True)
class Brainscales2(GridChip):
    """stored = step * code, code in -63..63; read = stored * gain of the synapse * gain of the neuron.

    What rules, signals and scores see of a membrane v, in thresholds, is (c - 80) / 70 of its code, which is c = clip(
    round(g (80 + 70 v) + o + noise), 0, 255): membranes below -1.14 look alike, and those above 2.5 thresholds. Gain g
    and offset o of a neuron's read-out are drawn once for a chip, its noise anew in each step.

    Neurons stay the network's: the chip's are analogue, and their time constants are left out. The sizes of all spreads
    are ours (estimated): the formats come from hxtorch, and nothing was measured on a chip. On the chip a rule runs on
    processors beside the synapses, with operands of 8 bits; here it is computed at full precision, and what it writes
    back is rounded.

    Args:
        cv: coefficient of variation of the synapses' gains, >= 0.
        neuron_cv: the same of the neurons' gains, >= 0.
        adc_cv: the same of the read-out's gains g, >= 0.
        adc_offset: standard deviation of the read-out's offsets o, in its codes, >= 0.
        adc_noise: standard deviation of its noise, in its codes, >= 0.
        range: the largest weight of all connections, > 0; None takes it from the weights that are programmed.
        headroom: without a range, the largest weight in units of the largest one that is programmed, > 0.
        rounding: how updates are rounded; programming takes the nearest code, from half way the one farther from 0.
        chip: seed of patterns, noise and rounding; None takes the seed of the run.

    Raises:
        UserError: a value outside its range.
    """

    cv: NonNegative = 0.1
    neuron_cv: NonNegative = 0.1
    adc_cv: NonNegative = 0.05
    adc_offset: NonNegative = 2.0
    adc_noise: NonNegative = 2.0
    range: Positive | None = None
    headroom: Positive = 4.0
    rounding: Rounding = "stochastic"
    chip: Whole | None = None
    seed_offset: ClassVar[int] = 8_000_009
    constraints: ClassVar[Mapping[str, str]] = {
        "mismatch of synapses": "cv=0", "mismatch of neurons": "neuron_cv=0", "noise of the read-out": "adc_noise=0",
        "spread of the read-out": "adc_cv=0:adc_offset=0",
    }  # fmt: skip
    unpublished: ClassVar[str] = "no energy of an operation is published for the chip as modelled here"
    widths: ClassVar[Widths] = Widths(weight=12 / 8, state=1.0, trace=1.0)

    def init(self, shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
        """Draw the fixed patterns of one chip.

        Args:
            shapes: shape of each connection's weights, by parameter name.
            seed: seed of the run, used unless `chip` is set.

        Returns:
            "<parameter>/gain" and "<parameter>/neuron" for each connection; "pattern", the seed of the read-out;
            "age" in steps; the state of the "generator" of rounding.
        """
        generator = generator_of(self.chip, seed, self.seed_offset)
        state: dict[str, Any] = {"pattern": torch.randint(1 << 40, (), generator=generator)}
        state |= draw_gains(shapes, self.cv, self.neuron_cv, generator)
        age = torch.zeros((), dtype=torch.int64)
        return {**state, "age": age, "generator": generator.get_state()}

    def on_parameters(self, state: dict[str, Any], name: str, w: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """Choose the step of a connection, "<parameter>/step", and program the nearest codes.

        Args:
            state: state of the chip.
            name: name of the parameter, such as "hidden1.ff.w".
            w: weights at full precision.

        Returns:
            The stored weights, and the state with the step.
        """
        largest = room_of(w, self.headroom) if self.range is None else self.range
        step = torch.tensor(largest / LARGEST_CODE, dtype=torch.float64)
        state = {**state, f"{name}/step": step}
        return self.grid(state, name).programmed(w, half_away), state

    def on_read(self, state: dict[str, Any], name: str, w: Tensor) -> Tensor:
        """Read the stored weights through the gains of synapses and neurons.

        Args:
            state: state of the chip.
            name: name of the parameter.
            w: stored weights.

        Returns:
            The weights as the chip applies them, of the same shape and type.
        """
        return through_gains(state, name, w)

    def on_observe(self, state: dict[str, Any], place: Place, v: Tensor) -> Tensor:
        """The membranes as the columnar ADC reads them.

        Args:
            state: state of the chip.
            place: the phase, the layer and the first step of these membranes.
            v: membranes before the reset, (T, B, *shape), in thresholds.

        Returns:
            What is read, of the same shape and type.
        """
        seed, shape, a_threshold = int(state["pattern"]), tuple(v.shape[2:]), THRESHOLD_LSB - REST_LSB
        pattern = generator_at(seed, "adc", place.layer)
        gain = log_normal_gain(shape, self.adc_cv, pattern).to(v)
        offset = self.adc_offset * torch.randn(shape, generator=pattern, dtype=torch.float64).to(v)
        code = gain * (REST_LSB + a_threshold * v) + offset
        if self.adc_noise > 0:
            code = code + self.adc_noise * at_each_step(seed, int(state["age"]), place, v)
        return (torch.round(code).clamp(0, HIGHEST_LSB) - REST_LSB) / a_threshold

    def on_time(self, state: dict[str, Any], steps: int) -> dict[str, Any]:
        """Let time pass: the next trial sees other noise.

        Args:
            state: state of the chip.
            steps: that pass.

        Returns:
            The state afterwards.
        """
        return {**state, "age": state["age"] + steps}

    def grid(self, state: dict[str, Any], name: str) -> Grid:
        return Grid(float(state[f"{name}/step"]), -LARGEST_CODE, LARGEST_CODE)


ENTRY = Brainscales2
