"""The training step of other libraries, if they are installed: backpropagation through time of the same net, in the
style of each library.

All of them use the neurons of snnTorch's `Leaky(0.9)`, cross-entropy of the read-out's mean membrane, and Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn

from neurorules.bench.steps import BETA, LR, PLAIN_LR, Step, Work

NEVER = 1e9
"""A threshold that no membrane can reach."""
Forward = Callable[[Tensor], Tensor]
"""A function from spikes (T, B, 784) to the membrane of the read-out, (T, B, 10)."""


def snntorch_step(work: Work) -> Step:
    """Prepare the training step of snnTorch in the style of its tutorials: a loop over time.

    Args:
        work: the batch and the net.

    Returns:
        A call that takes one training step.
    """
    import snntorch

    linears, neurons = _linears(work), [snntorch.Leaky(BETA) for _ in work.hidden]
    neurons.append(snntorch.Leaky(BETA, reset_mechanism="none"))

    def forward(spikes: Tensor) -> Tensor:
        membranes, record = [neuron.init_leaky() for neuron in neurons], []
        for frame in spikes:
            for n, (linear, neuron) in enumerate(zip(linears, neurons, strict=True)):
                frame, membranes[n] = neuron(linear(frame), membranes[n])
            record.append(membranes[-1])
        return torch.stack(record)

    return _trained(work, linears, forward)


def spikingjelly_step(work: Work) -> Step:
    """Prepare the training step of SpikingJelly, in its multi-step mode: all steps of a layer at once, in plain torch.

    Args:
        work: the batch and the net.

    Returns:
        A call that takes one training step.
    """
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    linears = _linears(work)
    leak = {"tau": 1 / (1 - BETA), "decay_input": False, "v_reset": None, "step_mode": "m"}
    stages: list[nn.Module] = []
    for linear in linears:
        stages += [layer.SeqToANNContainer(linear), neuron.LIFNode(surrogate_function=surrogate.ATan(), **leak)]
    stages[-1] = neuron.LIFNode(v_threshold=NEVER, store_v_seq=True, **leak)
    net = nn.Sequential(*stages).to(work.spikes.device)

    def forward(spikes: Tensor) -> Tensor:
        functional.reset_net(net)
        net(spikes)
        membranes: Tensor = stages[-1].v_seq  # type: ignore[assignment]
        return membranes

    return _trained(work, linears, forward)


def norse_step(work: Work) -> Step:
    """Prepare the training step of Norse, of leaky neurons without a synaptic current, in a loop over time.

    Args:
        work: the batch and the net.

    Returns:
        A call that takes one training step.
    """
    import norse.torch as norse
    from norse.torch.functional.reset import reset_subtract

    device = work.spikes.device
    rate = torch.tensor((1 - BETA) / 0.001, device=device)  # the rate of the leak in 1/s, at steps of 1 ms
    linears = _linears(work)
    neurons = [norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=rate, reset_method=reset_subtract))] * (
        len(linears) - 1
    )
    readout = norse.LIBoxCell(norse.LIBoxParameters(tau_mem_inv=rate))
    cells = nn.ModuleList([*neurons, readout]).to(device)

    def forward(spikes: Tensor) -> Tensor:
        states, record = [None] * len(cells), []
        for frame in spikes:
            for n, (linear, cell) in enumerate(zip(linears, cells, strict=True)):
                frame, states[n] = cell(linear(frame) / (1 - BETA), states[n])
            record.append(frame)
        return torch.stack(record)

    return _trained(work, linears, forward)


PEERS: dict[str, tuple[str, Callable[[Work], Step]]] = {
    "snnTorch": ("snntorch", snntorch_step),
    "SpikingJelly": ("spikingjelly", spikingjelly_step),
    "Norse": ("norse", norse_step),
}
"""Other libraries by name: the package to import, and the function that prepares its training step."""


def installed(package: str) -> bool:
    """Whether a package can be imported here, which is more than being found."""
    try:
        import_module(package)
    except Exception:  # a package may be incomplete, or fail with this torch
        return False
    return True


def _linears(work: Work) -> list[nn.Linear]:
    """The weights of every layer, drawn from the same seed for every library."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [nn.Linear(inputs, outputs).to(work.spikes.device) for inputs, outputs in work.layers]


def _trained(work: Work, linears: list[nn.Linear], forward: Forward) -> Step:
    """A training step: forward, cross-entropy of the mean membrane, backward, the update of the weights."""
    parameters = [p for linear in linears for p in linear.parameters()]
    optimiser: torch.optim.Optimizer = torch.optim.Adam(parameters, lr=LR, fused=True)
    if work.plain:
        optimiser = torch.optim.SGD(parameters, lr=PLAIN_LR)

    def step() -> float:
        loss = nn.functional.cross_entropy(forward(work.spikes).mean(0), work.labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step
