"""The network of a learner, from whatever the user gives: a text, a `Network`, or a module of torch and snnTorch."""

from __future__ import annotations

from torch import Tensor

from neurorules.language.rules import Defaults
from neurorules.network.network import Network, settled_network
from neurorules.torch_path.training.learner_settings import LearnerSettings


def network_of(settings: LearnerSettings, own: Defaults) -> tuple[Network, dict[str, Tensor], frozenset[str]]:
    """Build or read the network of a learner.

    Args:
        settings: of the learner, whose `net` it is.
        own: the rule's own parts, where the settings leave them open.

    Returns:
        The network, the parameters that it brings by name, and the names of those that stay as they are.

    Raises:
        UserError: a net that is not understood, or does not fit.
    """
    net = settings.net
    if isinstance(net, str):
        asked = {name: getattr(settings, name) for name in ("neuron", "readout_neuron", "norm", "connection")}
        net = settled_network(net, settings.input_shape, settings.classes, own, settings.readout, asked)
    if isinstance(net, Network):
        return net, {}, frozenset()
    from neurorules.torch_path.snntorch.bridge import from_module

    return from_module(net, settings.input_shape, settings.steps or own.steps)
