"""Train spiking networks with local, voltage-based learning rules, and compare them with global ones.

import neurorules
result = neurorules.train(rule="sigprop", data="digits", net="64-64")
learner = neurorules.Learner("400", rule="dfa", input_shape=(784,), classes=10)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurorules.api import brian2_circuit, brian2_network, compare, load, train
    from neurorules.contracts.series import Series
    from neurorules.language.errors import UserError
    from neurorules.network.network import Network, build_network
    from neurorules.runs.logs import CsvLog, TensorBoardLog
    from neurorules.torch_path.process.ranks import over_ranks
    from neurorules.torch_path.recording.recorder import Recorder
    from neurorules.torch_path.training.learner import Learner

    __version__: str

__all__ = [
    "CsvLog", "Learner", "Network", "Recorder", "Series", "TensorBoardLog", "UserError", "brian2_circuit",
    "brian2_network", "build_network", "compare", "load", "over_ranks", "train",
]  # fmt: skip

_HOMES = {
    "CsvLog": "neurorules.runs.logs",
    "TensorBoardLog": "neurorules.runs.logs",
    "Learner": "neurorules.torch_path.training.learner",
    "Network": "neurorules.network.network",
    "Recorder": "neurorules.torch_path.recording.recorder",
    "Series": "neurorules.contracts.series",
    "UserError": "neurorules.language.errors",
    "brian2_circuit": "neurorules.api",
    "brian2_network": "neurorules.api",
    "build_network": "neurorules.network.network",
    "load": "neurorules.api",
    "over_ranks": "neurorules.torch_path.process.ranks",
    "train": "neurorules.api",
}


def __getattr__(name: str) -> Any:
    # Loading torch takes seconds: it waits until something is asked for.
    if name == "__version__":
        from neurorules.language.version import own_version

        return own_version()
    if name not in __all__:
        raise AttributeError(f"module 'neurorules' has no attribute '{name}'")
    from importlib import import_module

    if name == "compare":  # a folder of that name, which is called as a function: whoever came first, it is the same
        return import_module("neurorules.compare")
    return getattr(import_module(_HOMES[name]), name)
