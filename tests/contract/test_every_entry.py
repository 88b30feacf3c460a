"""The contract suites over every registry: an entry is checked by existing, and a registry has a suite by existing."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from left_out import NOT_APPLICABLE
from PIL import Image
from test_rules import AUDITS

import neurorules
from neurorules.conformance import SUITES, check, transform
from neurorules.conformance.suite import Check, Entry, run_check
from neurorules.contracts.device import DEVICES
from neurorules.contracts.transform import Transform
from neurorules.language.errors import UserError
from neurorules.language.registry import Registry
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

ELSEWHERE = {
    "plot": "a picture is for eyes: tests/unit/test_plots.py",
    "circuit": "equations of one rule each: tests/contract/test_circuits.py",
    "suite": "tasks of a benchmark, which hold what the benchmark checks when it plans: tests/unit/test_benchmark.py",
    "paper": "tables of rows, which no outsider adds alone: tests/contract/test_papers.py",
}
"""Registries without a suite, and why."""
AUDITED = {*AUDITS["rule"], *AUDITS["signal"]}
TRAINED = {"it_learns_real_digits_better_than_its_frozen_control", "hidden_layers_learn_digits_under_it"}
NOT_TRAINED = {"pepita:form=time_local", "fixed_point:bits=4:rounding=nearest:cv=0:mismatch=neuron"}
"""Forms whose gain over their control lies within its error on the small net of the check, and a device that forgets
all changes smaller than half a step."""
MORE = {
    "neuron": ("lif:refractory=2", "alif:reset=zero:reset_delay=true", "rate:activation=tanh", "rate:unit=true",
               "lif:surrogate=boxcar", "cuba_lif:reset=none:refractory=1"),
    "connection": (
        "conv2d:kernel=5:padding=valid", "conv2d:stride=2", "conv2d_pooled:kind=average:pool=3", "ring:mode=exact",
        "dynamic:facilitation=5",
    ),
    "encoder": ("latency:form=log", "frames:clip=true", "constant:standardise=false", "frames:bin_ms=10"),
    "device": (
        "fixed_point:bits=4:rounding=nearest:cv=0:mismatch=neuron", "memristor:law=power:accumulate=true:dead=0.05",
        "memristor:fit=ecram:write_noise=3", "pcm:accumulate=false:age_s=3600", "odin:signs=synapse",
    ),
    "exporter": ("npz:compress=false",),
    "rule": ("sigprop:form=voltage", "pepita:form=time_local"),
    "signal": ("local_readout:readouts=fixed",),
}  # fmt: skip
"""Entries with options that take other ways through them."""
FILES = {"dataset"}
"""Kinds whose entries need files."""
# What is audited is checked in test_rules, where the measurements of all rules are made together.
CASES = [
    pytest.param(
        kind, text, one, id=f"{kind}-{text}-{one.__name__}", marks=[pytest.mark.slow] if one.__name__ in TRAINED else []
    )
    for kind, suite in SUITES.items()
    if kind not in FILES
    for text in (*suite.registry.names(), *MORE.get(kind, ()))
    for one in suite.checks
    if one.__name__ not in AUDITED and not (one.__name__ in TRAINED and text in NOT_TRAINED)
]  # fmt: skip


def registries() -> list[Registry]:
    """All of them, found by looking through the package."""
    every = {id(DEVICES): DEVICES}
    for info in pkgutil.walk_packages(neurorules.__path__, "neurorules."):
        if info.ispkg:
            values = vars(importlib.import_module(info.name)).values()
            every |= {id(value): value for value in values if isinstance(value, Registry)}
    return list(every.values())


def test_every_registry_has_a_suite() -> None:
    for registry in registries():
        assert (registry.kind in SUITES) != (registry.kind in ELSEWHERE), f"give the {registry.kind}s a suite"
        assert registry.kind in ELSEWHERE or SUITES[registry.kind].registry is registry


def test_suites_say_in_a_sentence_what_each_check_holds_an_entry_to() -> None:
    for suite in SUITES.values():
        assert len({one.__name__ for one in suite.checks}) == len(suite.checks) >= 6
        assert all((one.__doc__ or "").strip().endswith(".") for one in suite.checks)


@pytest.mark.parametrize(("kind", "text", "one"), CASES)
def test_an_entry_keeps_its_contract(kind: str, text: str, one: Check) -> None:
    outcome = run_check(one, Entry(SUITES[kind].registry, text))
    unsaid = " ".join(NOT_APPLICABLE.get((kind, one.__name__), {}).values()).split()
    assert outcome.status == ("left out" if text in unsaid else "passed"), outcome.reason


@pytest.fixture(scope="module")
def own_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Data sets of one's own files, by name."""
    folder = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 255, (40, 6, 5), dtype=np.uint8), (np.arange(40) % 3).astype(np.uint8)
    parts = {"train": slice(0, 30), "t10k": slice(30, 40)}
    for part, rows in parts.items():
        pixels, classes = images[rows], labels[rows]
        header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            bytes([0, 0, 8, 1]) + len(classes).to_bytes(4, "big") + classes.tobytes()
        )
    arrays = {"x_train": images[:30], "y_train": labels[:30], "x_test": images[30:], "y_test": labels[30:]}
    np.savez(folder / "own.npz", **arrays)
    over_time = {name: np.stack([array] * 4, axis=1) if name[0] == "x" else array for name, array in arrays.items()}
    np.savez(folder / "timed.npz", **over_time)
    for number, pixels in enumerate(images):
        place = folder / "pictures" / f"kind{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
        file = folder / "NMNIST" / ("Train" if number < 30 else "Test") / str(number % 3) / f"{number:05}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.integers(0, 34, (20, 5), dtype=np.uint8).tobytes())  # x, y, off, two bytes of time
    return {
        "npz": f"npz:path={folder / 'own.npz'}",
        "npz over time": f"npz:path={folder / 'timed.npz'}:batch_first=true",
        "idx": f"idx:path={folder}",
        "folder": f"folder:path={folder / 'pictures'}:test=0.2",
        "tonic": f"tonic:name=NMNIST:path={folder}",
    }


DRAWN = {
    "order": "order:train=60:test=20",
    "delayed_copy": "delayed_copy:train=60:test=20",
    "delayed_copy over time": "delayed_copy:answer=copy:train=60:test=20",
    "evidence": "evidence:dt_ms=10:train=60:test=20",
    "store_recall": "store_recall:dt_ms=10:train=60:test=20",
    "pattern": "pattern:length=100:train=20:test=10",
    "randman": "randman:train=60:test=20",
    "yin_yang": "yin_yang:train=60:test=20",
}
"""Data sets that are drawn from a seed, few samples of each."""


@pytest.mark.parametrize("name", ["digits", "npz", "npz over time", "idx", "folder", "tonic", *DRAWN])
def test_a_data_set_keeps_its_contract(name: str, own_files: dict[str, str]) -> None:
    outcomes = list(check("dataset", (own_files | DRAWN).get(name, name)))
    assert {outcome.status for outcome in outcomes} == {"passed"}, outcomes


@pytest.mark.data
@pytest.mark.parametrize("name", ["mnist", "nmnist"])
def test_a_data_set_that_lies_in_the_data_folder_keeps_its_contract(name: str, data_folder: Path) -> None:
    outcomes = list(check("dataset", name))
    assert {outcome.status for outcome in outcomes} == {"passed"}, outcomes


def test_data_sets_that_are_not_checked_here_are_those_whose_files_are_not() -> None:
    here = {
        "digits",
        "npz",
        "idx",
        "folder",
        "tonic",
        "mnist",
        "nmnist",
        *(text.split(":")[0] for text in DRAWN.values()),
    }
    # Their readers are tested on small files: tests/unit/test_cifar.py, test_datasets.py and test_heidelberg_data.py.
    assert set(SUITES["dataset"].registry.names()) == here | {"cifar10", "cifar100", "fashion_mnist", "shd", "ssc"}


TRANSFORMS: list[tuple[Transform, tuple[int, ...]]] = [
    (Pool(2, "max"), (3, 9, 7)), (Pool(3, "average"), (3, 9, 6)), (Flatten(), (3, 4, 5)), (Dropout(0.4), (2, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("one", transform.CHECKS)
@pytest.mark.parametrize(("entry", "shape"), TRANSFORMS)
def test_a_transform_keeps_its_contract(
    one: transform.TransformCheck, entry: Transform, shape: tuple[int, ...]
) -> None:
    one(entry, shape)


def test_a_kind_or_an_entry_that_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'neuron'"):
        list(check("neurone", "lif"))
    with pytest.raises(UserError, match="Did you mean 'lif'"):
        list(check("neuron", "lyf"))
