"""Nothing that a user has set in torch enters a learner, and a learner leaves all of it as it was."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neurorules
from neurorules import Learner

CLASSES, STEPS = 3, 4
READ: dict[str, Callable[[], Any]] = {
    "default type": torch.get_default_dtype,
    "default device": torch.get_default_device,
    "deterministic mode": torch.get_deterministic_debug_mode,
    "rounding": torch.get_float32_matmul_precision,
    "gradients": torch.is_grad_enabled,
    "inference": torch.is_inference_mode_enabled,
    "autocast": lambda: torch.is_autocast_enabled("cpu"),
    "threads": torch.get_num_threads,
    "oneDNN": lambda: torch.backends.mkldnn.enabled,
    "denormals": lambda: float(torch.tensor(5e-324, dtype=torch.float64, device="cpu").mul(1.0)) == 0.0,
    "torch's generator": lambda: torch.get_rng_state().tolist(),
    "numpy's generator": lambda: np.random.get_state()[1].tolist(),  # type: ignore[index]  # noqa: NPY002
}  # Python's own generator is drawn from by what checks types in tests


@contextmanager
def changed(read: Callable[[], Any], write: Callable[[Any], object], value: Any) -> Iterator[None]:
    before = read()
    write(value)
    try:
        yield
    finally:
        write(before)


def _seeded() -> AbstractContextManager[None]:
    @contextmanager
    def seeds() -> Iterator[None]:
        states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
        torch.manual_seed(4), np.random.seed(5), random.seed(6)  # noqa: NPY002
        yield
        torch.set_rng_state(states[0]), np.random.set_state(states[1]), random.setstate(states[2])  # noqa: NPY002

    return seeds()


def _deterministic(value: str) -> AbstractContextManager[None]:
    return changed(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, value)


GLOBALS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "default type": lambda: changed(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "default type of half precision": lambda: changed(torch.get_default_dtype, torch.set_default_dtype, torch.bfloat16),
    "default device": lambda: changed(lambda: None, torch.set_default_device, "meta"),
    "device of a block": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu"),
    "deterministic mode": lambda: _deterministic("error"),
    "rounding": lambda: changed(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"
    ),
    "inference": torch.inference_mode,
    "gradients": torch.enable_grad,
    "oneDNN": lambda: changed(torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled, False),
    "denormals": lambda: changed(lambda: False, torch.set_flush_denormal, True),
    "seeds": _seeded,
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "bptt on pools of maps": {"rule": "bptt", "net": "c3k3-p2-5", "neuron": "cuba_lif"},
    "dfa with batch normalisation": {"rule": "dfa", "net": "6-d0.2-5", "norm": "batch"},
    "sigprop in a pipeline of threads": {"rule": "sigprop", "net": "5", "schedule": "pipelined_threads"},
    "rings": {"rule": "bsp", "net": "3", "steps": 1},
    "a chip": {"rule": "drtp", "net": "5", "hardware": "fixed_point", "optimizer": "momentum", "precision": "fast"},
}


def drive(seed: int = 0, steps: int = STEPS) -> tuple[Tensor, Tensor]:
    """Made outside the settings that are tried: a user's own tensors are what they are."""
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(steps, 6, 1, 6, 6, generator=generator) < 0.4).float()
    return spikes, torch.randint(0, CLASSES, (6,), generator=generator)


def make(options: dict[str, Any]) -> Learner:
    return Learner(input_shape=(1, 6, 6), classes=CLASSES, device="cpu", **({"steps": STEPS} | options))


def run(options: dict[str, Any], inside: Callable[[], AbstractContextManager[Any]]) -> dict[str, Any]:
    """All that a learner gives in a user's session; one thing it does stands outside, where it must work as well."""
    batches = [drive(seed, options.get("steps", STEPS)) for seed in (0, 1)]
    with inside():
        before = {name: read() for name, read in READ.items()}
        learner = make(options)
        metrics = learner.step(*batches[0])
        learner.push(*batches[1])
        learner.flush()
        scores, state, measures = learner.scores(batches[0][0]), learner.state(), learner.measures()
        other = make({**options, "seed": 7})
        other.load(state)
        after = {name: read() for name, read in READ.items()}
    assert {name for name in before if before[name] != after[name]} == set()
    learner.step(*batches[1])
    other.step(*batches[1])
    return {"metrics": metrics, "measures": measures, "scores": scores, "last": learner.state(), "other": other.state()}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return torch.equal(one, other) and one.dtype == other.dtype if isinstance(one, Tensor) else one == other


@pytest.fixture(scope="module")
def plain() -> dict[str, dict[str, Any]]:
    return {name: run(options, ExitStack) for name, options in CASES.items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", GLOBALS)
def test_a_learner_gives_the_same_bits_whatever_is_set_and_leaves_it_so(
    name: str, case: str, plain: dict[str, dict[str, Any]]
) -> None:
    found = run(CASES[case], GLOBALS[name])
    assert same(found, plain[case])


@pytest.mark.parametrize("name", GLOBALS)
def test_modules_go_in_and_out_the_same_whatever_is_set(name: str) -> None:
    import snntorch

    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(36, 5), snntorch.Leaky(0.9, init_hidden=True), nn.Linear(5, CLASSES)]
    spikes, labels = drive()

    def weights(inside: Callable[[], AbstractContextManager[Any]]) -> dict[str, Tensor]:
        with inside():
            learner = Learner(nn.Sequential(*layers), "sigprop", input_shape=(1, 6, 6), device="cpu", steps=STEPS)
            learner.step(spikes, labels)
            return dict(learner.to_snntorch().state_dict())

    assert same(weights(GLOBALS[name]), weights(ExitStack))


def test_tensors_of_inference_are_taken_as_they_are() -> None:
    with torch.inference_mode():
        spikes, labels = drive()
    learner, other = make(CASES["bptt on pools of maps"]), make(CASES["bptt on pools of maps"])
    learner.step(spikes, labels)
    other.step(*drive())
    assert same(learner.state(), other.state())


@pytest.mark.parametrize("name", ["default type", "default device", "inference", "seeds"])
def test_a_whole_run_is_the_same_whatever_is_set(name: str) -> None:
    settings: dict[str, Any] = {
        "rule": "sigprop", "data": "digits", "net": "c2k3-p2-6", "epochs": 1, "limit": 60, "batch_size": 20, "steps": 3,
        "encode": "poisson",
    }  # fmt: skip
    expected = neurorules.train(**settings)
    with GLOBALS[name]():
        before = {key: read() for key, read in READ.items()}
        found = neurorules.train(**settings)
        assert {key for key, read in READ.items() if before[key] != read()} == set()
    told = ("test_accuracy", "validation_accuracy", "spikes_per_sample", "mean_rates", "measures")
    assert {key: found[key] for key in told} == {key: expected[key] for key in told}


def test_other_threads_are_left_alone_where_a_learner_is_made() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        make(CASES["sigprop in a pipeline of threads"]).step(*drive())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


ALLOCATOR = """
import types, neurorules, torch
import neurorules.runs.allocator as allocator
asked = []
library = types.SimpleNamespace(mallopt=lambda *arguments: asked.append(arguments) or 1)
allocator.ctypes = types.SimpleNamespace(CDLL=lambda name: library)
learner = neurorules.Learner("6", "sigprop", input_shape=(4,), classes=2)
learner.step(torch.ones(3, 2, 4), torch.tensor([0, 1]))
assert not asked
from neurorules.cli import main
try: main(["list", "rules", "--json"])
except SystemExit: pass
assert len(asked) == 2
"""


def test_the_command_line_sets_how_memory_is_kept_and_a_learner_does_not() -> None:
    assert subprocess.run([sys.executable, "-c", ALLOCATOR], check=False, capture_output=True).returncode == 0
