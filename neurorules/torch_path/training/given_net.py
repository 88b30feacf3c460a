"""The network of a learner, from whatever the user gives: a text, a `Network`, a module of torch and snnTorch, or a
graph of NIR."""

from __future__ import annotations

from neurorules.contracts.target import OF_VALUES
from neurorules.exchange.imported import Imported
from neurorules.exchange.nir.file import is_graph
from neurorules.exchange.nir.options import is_nir
from neurorules.language.errors import UserError
from neurorules.language.rules import Defaults
from neurorules.language.settings import Drawn
from neurorules.network.network import Network, settled_network
from neurorules.torch_path.training.learner_settings import LearnerSettings


def brought_by(settings: LearnerSettings, own: Defaults) -> Imported:
    """Build or read the network of a learner.

    If the settings ask for random weights, only the frozen weights of a module are used.

    Args:
        settings: the settings of the learner, with its `net`.
        own: the parts of the rule, for settings that are open.

    Returns:
        The network, and the numbers that a module contains; other nets have none.

    Raises:
        UserError: the net is not understood, or does not fit.
    """
    brought = _brought(settings, own)
    outputs, name = brought.network.classes, "outputs" if settings.task in OF_VALUES else "classes"
    if settings.size is not None and settings.size != outputs:
        wanted = f"{name} is {settings.size}"
        raise UserError(f"the net has {outputs} outputs, and {wanted}. {same_outputs(outputs, settings.size)}")
    if settings.init == "given" and not brought.parameters:
        raise UserError("init is given, for the weights of a module, and this net has none. Use torch or he")
    return brought.drawn_anew() if settings.init in ("torch", "he", "bounds") else brought


def same_outputs(outputs: int, wanted: int) -> str:
    """Advice about a net with another number of outputs than there are classes.

    Args:
        outputs: the outputs of the net.
        wanted: number of classes, labels or values.

    Returns:
        A sentence without its full stop.
    """
    several = outputs > wanted > 1 and outputs % wanted == 0
    groups = f", or, where each class has {outputs // wanted} neurons that spike, scores='population'"
    return f"Make them the same{groups if several else ''}"


def drawn(settings: LearnerSettings, own: Defaults) -> Drawn:
    """The kind of draw for weights that are not given.

    Args:
        settings: the settings of the learner.
        own: the parts of the rule, for settings that are open.

    Returns:
        The kind of draw.
    """
    init = own.init if settings.init in (None, "given") else settings.init
    return init if init in ("he", "bounds") else "torch"


def _brought(settings: LearnerSettings, own: Defaults) -> Imported:
    net = settings.net
    if isinstance(net, str) and is_nir(net):
        from neurorules.exchange.nir.read import net_of_text

        return net_of_text(net, settings.input_shape)
    if isinstance(net, str):
        parts = {name: getattr(settings, name) for name in ("neuron", "readout_neuron", "norm", "connection")}
        net = settled_network(net, settings.input_shape, settings.size, own, settings.readout, parts, settings.task)
    if isinstance(net, Imported):
        return net
    if isinstance(net, Network):
        return Imported(net)
    if is_graph(net):
        from neurorules.exchange.nir.read import net_of_graph

        return net_of_graph(net, None, settings.input_shape)
    from neurorules.torch_path.snntorch.from_module import from_module

    return from_module(net, settings.input_shape, settings.steps or own.steps, settings.scores, settings.size)
