"""The allowance of a signal, decided only here: its own parameters and state, and what its `needs` provide.

| need             | what it provides                                                                        |
|------------------|-----------------------------------------------------------------------------------------|
| target           | the labels                                                                              |
| output_error     | the error at the output                                                                 |
| above            | what the layers that read a layer hand down, through weights that the signal brings     |
| history          | in `above`, what comes back from later steps, through membranes and recurrent loops     |
| weight_transport | copies of those layers' forward weights; and `above` through the forward weights        |
| weight_sign      | the signs of those weights, and nothing of their size                                   |
| noise_phase      | what a layer answers to noise into it alone                                             |

Labels, errors, weights and parameters are copies. Activity is not copied, since it belongs to the layer itself. The
measures of a signal do not affect learning: they get copies of everything, and return numbers. Access that Python
cannot prevent, such as through frames or the garbage collector, is measured by the audit (`neurorules.audit`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.net_shape import LayerShape
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.view import Above, View
from neurorules.language.errors import UserError
from neurorules.network.layer import Layer
from neurorules.network.model import Learned, Model
from neurorules.network.network import Parameters


class Copies(Mapping[str, Tensor]):
    """A mapping of names to copies of tensors, each of which is copied when it is read.

    Args:
        tensors: the tensors that may be read.
        refusal: the end of the message for any other name.

    Raises:
        UserError: another name is read.
    """

    def __init__(self, tensors: Mapping[str, Tensor], refusal: str) -> None:
        self._tensors, self._refusal = tensors, refusal

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise UserError(f"'{name}' {self._refusal}")
        return self._tensors[name].clone()

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def get(self, name: str, default: Any = None) -> Any:
        """A copy of the tensor of that name, if there is one.

        Args:
            name: the name of the tensor.
            default: the value to return otherwise.

        Returns:
            The copy, or the default.
        """
        return self[name] if name in self._tensors else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def own_parameters(model: Model, parameters: Parameters) -> Copies:
    """The parameters that belong to the signal and not to the network.

    Args:
        model: network, rule and signal.
        parameters: all of them, by full name.

    Returns:
        Copies of the signal's parameters, by full name; any other name is refused.
    """
    own = {name: value for name, value in parameters.items() if name not in model.parameter_names}
    return Copies(
        own, "is not a parameter of the signal itself. Its `needs` say what it may read of the net: see `View`"
    )


def observe(model: Model, state: SignalState, sample: Series, labels: Tensor) -> SignalState:
    """Let the signal see the samples before anything runs.

    Args:
        model: network, rule and signal.
        state: the state of the signal; it is not modified.
        sample: the batch, (T, B, *input) or constant (B, *input).
        labels: class indices (B,), as the hidden layers learn from them.

    Returns:
        Those parts of the signal's state that change, by name; empty for a rule without a signal.
    """
    if model.signal is None:
        return {}
    return model.signal.observe(dict(state), sample, _where_declared(model.signal.needs, "target", labels))


def drive(
    model: Model, learned: Learned, phase: str, sample: Series, output_error: Tensor | None, labels: Tensor | None
) -> PhaseDrive:
    """Ask the signal for the drive of a phase.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        phase: the name of the phase, other than "input".
        sample: the batch, (T, B, *input) or constant (B, *input).
        output_error: derivative of the loss by the output, (B, C), as the hidden layers learn from it; None if no pass
            has computed one.
        labels: class indices (B,), as the hidden layers learn from them; None if nothing is learned.

    Returns:
        Input, offset and injected current of the phase.

    Raises:
        LookupError: the signal drives no such phase, or the rule has no signal.
    """
    signal = model.teaching_signal
    needs = signal.needs
    return signal.drive(
        phase, dict(learned.signal), own_parameters(model, learned.parameters), model.shape, sample,
        _where_declared(needs, "output_error", output_error), _where_declared(needs, "target", labels),
    )  # fmt: skip


def scores(model: Model, learned: Learned, summary: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
    """Class scores of a rule that predicts without a read-out.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        summary: by hidden layer and phase, the average over time (B, *shape) of the variable that it reads.

    Returns:
        One score per sample and class, (B, C); the largest one is the prediction.
    """
    own = own_parameters(model, learned.parameters)
    return model.teaching_signal.scores(dict(learned.signal), own, model.shape, summary)


def measures(model: Model, state: SignalState, parameters: Parameters) -> dict[str, float]:
    """Measures that the signal reports of itself. It gets copies of all parameters, and they do not affect learning.

    Args:
        model: network, rule and signal.
        state: the state of the signal.
        parameters: all of them, as a trial computes with them.

    Returns:
        Numbers by names that end in the unit; empty for a rule without a signal.
    """
    if model.signal is None:
        return {}
    copies = Copies(parameters, "is not a parameter of this net or its signal")
    figures = model.signal.measures(dict(state), copies, model.shape)
    return {name: float(value) for name, value in figures.items()}


@dataclass(frozen=True)
class Purchase:
    """The variables that a signal's declared `needs` provide for the third factor of one layer.

    Args:
        model: network (bound to its neurons' parameters), rule and signal.
        parameters: as learning reads them.
        index: the index of the layer.
        labels: class indices (B,), as the hidden layers learn from them; None if nothing is learned.
        output_error: derivative of the loss by the output, (B, C), as this layer learns from it; None before the batch
            has reached the output.
        carried: the error from the layers above, as a function of the weights by name; None for the read-out.
        answered: a function from a layer's name and noise (B, *pre) into it to its graded output, (B, *shape).
    """

    model: Model
    parameters: Parameters
    index: int
    labels: Tensor | None
    output_error: Tensor | None
    carried: Callable[[Callable[[str], Tensor]], Series] | None
    answered: Callable[[str, Tensor], Tensor]

    @property
    def goods(self) -> dict[str, Any]:
        """The fields of a `View` that the `needs` provide."""
        needs = self.model.teaching_signal.needs
        above = _weights_above(self.model.network.layers, self.index, self.parameters)
        transport = "weight_transport" in needs
        refusal = f"is not a weight that reads layer '{self.model.network.layers[self.index].name}'"
        return {
            "labels": _where_declared(needs, "target", self.labels),
            "output_error": _where_declared(needs, "output_error", self.output_error),
            "above": self._above(above if transport else None) if "above" in needs else None,
            "weights": Copies(above, refusal) if transport else None,
            "signs": Copies(_signs(above), refusal) if "weight_sign" in needs else None,
            "answer": self.answered if "noise_phase" in needs else None,
        }

    def _above(self, weights: Mapping[str, Tensor] | None) -> Above | None:
        if self.carried is None:
            return None
        forward = None if weights is None else weights.__getitem__
        return partial(_from_above, self.carried, forward, self.model.network.layers[self.index].name)


def _signs(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The signs of weights, as tensors that do not lead to the weights themselves."""
    return {name: torch.sign(weight) for name, weight in weights.items()}


def _from_above(
    carried: Callable[[Callable[[str], Tensor]], Series], forward: Callable[[str], Tensor] | None, layer: str,
    weights_of: Callable[[str], Tensor] | None = None,
) -> Series:  # fmt: skip
    """The error from the layers above, through weights of the signal's own or through the forward weights."""
    chosen = weights_of or forward
    if chosen is None:
        raise UserError(
            f"the signal asks for what reaches layer '{layer}' through the forward weights above it. Declare "
            f"weight_transport among its needs, or hand over weights of its own"
        )
    return carried(chosen)


def layer_shape(model: Model, index: int, parameters: Parameters) -> LayerShape:
    """The description of a layer for the signal: its neurons hold copies of their parameters.

    Args:
        model: network, rule and signal.
        index: the index of the layer.
        parameters: all of them, by full name.

    Returns:
        Name, shape and neuron of the layer, and the shapes of its weights.
    """
    layer, shape = model.network.layers[index], model.shape.layers[index]
    if not layer.neuron.learns:
        return shape
    own = {name: parameters[f"{layer.name}.{name}"].clone() for name in layer.neuron.learns}
    return shape._replace(neuron=layer.neuron.with_parameters(own))


def third_factor(model: Model, parameters: Parameters, state: SignalState, view: View) -> ThirdFactor:
    """Ask the signal for the third factor of the layer that `view` shows.

    Args:
        model: network, rule and signal.
        parameters: all parameters; the signal gets copies of its own.
        state: the state of the signal; it is not modified.
        view: the variables that the signal may see of the layer.

    Returns:
        m by phase, gradients of the signal's parameters, and the changed part of its state.

    Raises:
        UserError: there is a gradient of a parameter that belongs neither to the signal nor to this layer's neurons.
    """
    signal = model.teaching_signal
    own = own_parameters(model, parameters)
    answer = signal.third_factor(dict(state), own, view)
    neurons = {f"{view.layer.name}.{name}" for name in view.layer.neuron.learns if signal.teaches_neurons}
    foreign = sorted(answer.gradients.keys() - set(own) - neurons)
    if foreign:
        raise UserError(
            f"{_name(signal)} gives a gradient of '{foreign[0]}', which its layers' texts change. A signal gives "
            f"gradients of its own parameters, and of its layers' neurons where it says teaches_neurons"
        )
    return answer


def _weights_above(layers: tuple[Layer, ...], index: int, parameters: Parameters) -> dict[str, Tensor]:
    """The weights through which a layer's spikes are read: by layers above, and by itself a step later."""
    names = [later.weight_names[entry.name] for later in layers for entry in later.inputs if entry.source == index]
    return {name: parameters[name] for name in names}


def _where_declared(needs: frozenset[str], need: str, value: Tensor | None) -> Tensor | None:
    """A copy of a value if the signal declares the need that provides it; otherwise None."""
    return value.clone() if value is not None and need in needs else None


def _name(signal: Signal) -> str:
    return f"signal '{type(signal).__name__}'"
