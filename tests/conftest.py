"""What all tests share. Modules of the library are imported in the tests, after shapes are set to be checked."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Set before matplotlib and the linear-algebra libraries read them: no window, one thread a worker.
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests send Ctrl-C, which a process ignores that a script has started in the background.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import checked_types
import jaxtyping
import pytest
import torch
from hypothesis import settings
from shared_answers import SharedAnswers

ROOT = Path(__file__).resolve().parent.parent
UNCHECKED = {"language", "native"}
"""Parts of the package that are handed no array: half of all calls, which a check makes several times as long."""

# Shapes and types of calls are checked while tests run, and only then. A round of mutants leaves the checks out, as
# preparing them takes longer than most of its tests.
PARTS = sorted(f"neurorules.{path.stem}" for path in (ROOT / "neurorules").iterdir() if path.stem not in UNCHECKED)
if "NEURORULES_UNCHECKED" not in os.environ:
    jaxtyping.jaxtyped = checked_types.when_called
    jaxtyping.install_import_hook(["hardware_models", *PARTS], "checked_types.checked")

torch.set_num_threads(1)

# The same examples on every machine, however slow it is.
settings.register_profile("same_everywhere", derandomize=True, deadline=None, database=None, max_examples=50)
settings.load_profile("same_everywhere")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and say what is missing."""
    for item in items:
        if item.get_closest_marker("cuda") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        if item.get_closest_marker("data") and not os.environ.get("NEURORULES_DATA"):
            item.add_marker(pytest.mark.skip(reason="needs the folder NEURORULES_DATA"))


def pytest_collection_finish() -> None:
    """Take what exists now, which lives to the end, out of the garbage collector's way.

    Brian2 collects garbage before each run of a network: that is 0.8 s among the objects of all modules and tests.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def little_garbage() -> Iterator[None]:
    """Do the same with what the tests of a module have left for good: modules and the caches of libraries."""
    yield
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Check shapes and types of the first calls of all tests but the oracles, which compare the numbers themselves."""
    folder = item.path.relative_to(item.config.rootpath).parts[1]
    checked_types.start_test(unchecked=folder == "oracle" or item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session", autouse=True)
def one_process_answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Audits and trainings that tests ask of a fresh process are answered by copies of one, which loads torch once.

    Whatever has been audited before, by tests of this process or of the one beside it, is not measured again.
    """
    from neurorules.audit import fresh
    from neurorules.audit.fresh_process import one_process

    with one_process(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh, "_answers", SharedAnswers(tmp_path_factory.getbasetemp()))
        yield


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded generator on the CPU."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def data_folder() -> Path:
    """The folder of the real data sets; mark the test with `data`."""
    return Path(os.environ["NEURORULES_DATA"])


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT
