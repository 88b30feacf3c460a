"""Trace files that are cut off, were never closed, or hold more than memory: what is served is what was written."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurorules.language.errors import UserError
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.user_block import USER_BLOCK
from neurorules.traces.writer import TraceWriter

STEPS, SAMPLES, BATCH = 5, 48, 4
LAYERS = {"input": (60,), "hidden1": (40,), "graded": (7,)}
HEADER = TraceHeader("x", LAYERS, parameters={"hidden1.ff.w": (40, 60)})


def batch(number: int) -> dict[str, dict[str, np.ndarray]]:
    """Sparse, dense and graded spikes and a membrane of four samples, (T, B, N)."""
    random = np.random.default_rng(number)

    def spikes(layer: str, rate: float) -> np.ndarray:
        return (random.random((STEPS, BATCH, *LAYERS[layer])) < rate).astype(np.float32)

    return {
        "input": {"S": spikes("input", 0.01)},
        "hidden1": {"S": spikes("hidden1", 0.4), "v": random.normal(size=(STEPS, BATCH, 40)).astype(np.float32)},
        "graded": {"S": spikes("graded", 0.5) * random.normal(size=(STEPS, BATCH, 7)).astype(np.float32)},
    }


def weights(number: int) -> np.ndarray:
    """Other weights after each batch."""
    return np.random.default_rng(1000 + number).normal(size=(40, 60)).astype(np.float32)


def write(path: Path, close: bool = True) -> TraceWriter:
    """Write twelve batches, and a snapshot after every third."""
    writer = TraceWriter(path, HEADER)
    for number in range(SAMPLES // BATCH):
        indices = np.arange(number * BATCH, (number + 1) * BATCH)
        writer.append_batch(indices + 500, indices % 10, batch(number), epoch=number)
        if number % 3 == 2:
            writer.snapshot(number, {"hidden1.ff.w": weights(number)})
    if close:
        writer.close()
    return writer


def check(reader: TraceReader) -> None:
    """Everything that is served is what was written."""
    for sample in reader:
        number, row = divmod(sample.position, BATCH)
        assert sample == (sample.position, sample.position + 500, sample.position % 10, -1, number)
        for layer, found in batch(number).items():
            for name, array in found.items():
                np.testing.assert_array_equal(reader.dense(sample.position, layer, name), array[:, row], strict=True)
    for snapshot in reader.snapshots:
        np.testing.assert_array_equal(reader.parameter(snapshot.position, "hidden1.ff.w"), weights(snapshot.epoch))
        assert snapshot.samples == (snapshot.epoch + 1) * BATCH


def served(path: Path) -> int:
    """Samples that a file serves, all of them checked; 0 where it is refused in one line."""
    try:
        with TraceReader(path) as reader:
            check(reader)
            return len(reader)
    except UserError as error:
        assert "\n" not in str(error) and "Record it again" in str(error)
        return 0


def test_a_whole_file_gives_back_everything_and_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "t.h5")
    with TraceReader(tmp_path / "t.h5") as reader:
        check(reader)
        assert len(reader) == SAMPLES and len(reader.snapshots) == 4
        assert reader.count("graded") == sum(np.count_nonzero(batch(n)["graded"]["S"]) for n in range(12))
    assert not caplog.records


@pytest.mark.parametrize("closed", [True, False])
def test_a_file_that_is_cut_off_is_refused_in_one_line(tmp_path: Path, closed: bool) -> None:
    writer = write(tmp_path / "whole.h5", close=closed)
    content, path = (tmp_path / "whole.h5").read_bytes(), tmp_path / "cut.h5"
    writer.close()
    flushed = int(content.split(b"\n")[0].split()[-1])
    random = np.random.default_rng(closed)
    for cut in {*random.integers(0, flushed, 36).tolist(), 0, 1, 20, 48, 511, 512, 600, flushed - 1}:
        path.write_bytes(content[:cut])
        with pytest.raises(UserError) as caught:
            TraceReader(path)
        line = str(caught.value)
        assert "\n" not in line and "record it again" in line.lower()
        assert cut < USER_BLOCK or f"is cut off: it has {cut} of {flushed} bytes. Copy it again" in line
    for length in (flushed, len(content)):
        path.write_bytes(content[:length])
        assert served(path) == SAMPLES


@pytest.mark.parametrize("closed", [True, False])
def test_a_changed_byte_never_passes_as_data(tmp_path: Path, closed: bool) -> None:
    """In a file that was closed, and in one whose writer was killed: HDF5 must not read the latter again for ever."""
    writer = write(tmp_path / "whole.h5", close=closed)
    content = (tmp_path / "whole.h5").read_bytes()
    writer.close()
    random, refused = np.random.default_rng(0), 0
    for place in random.integers(0, len(content), 40).tolist():
        changed = bytearray(content)
        changed[place] ^= 0xFF
        (tmp_path / "t.h5").write_bytes(changed)
        try:
            with TraceReader(tmp_path / "t.h5") as reader:
                check(reader)
        except UserError as error:
            refused += "is damaged" in str(error)
    assert refused > 6


def test_a_first_line_that_was_changed_is_told(tmp_path: Path) -> None:
    write(tmp_path / "t.h5")
    content = (tmp_path / "t.h5").read_bytes()
    for old, new in ((b"closed", b"clXsed"), (b"-trace closed ", b"-trace closed x")):
        (tmp_path / "t.h5").write_bytes(content.replace(old, new, 1)[: len(content)])
        with pytest.raises(UserError, match="is damaged"):
            TraceReader(tmp_path / "t.h5")


def test_a_file_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    writer = write(tmp_path / "t.h5", close=False)
    assert served(tmp_path / "t.h5") == SAMPLES
    writer.close()


def test_an_older_format_is_refused_by_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w", libver=("v110", "v110")) as file:
        file.attrs.update(format="neurorules-trace", format_version=1)
    with pytest.raises(UserError, match=r"has format 1 of neurorules' traces.*Record it again"):
        TraceReader(tmp_path / "old.h5")


RECORD_FOREVER = """
import sys, numpy as np
from pathlib import Path
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter
header = TraceHeader("x", {"a": (50,)}, parameters={"a.w": (50,)})
with TraceWriter(Path(sys.argv[1]), header) as writer:
    for number in range(100_000):
        values = np.full((20, 3, 50), float(number + 1))
        writer.append_batch([number] * 3, [0, 1, 2], {"a": {"S": values, "v": values}}, epoch=number)
        writer.snapshot(number, {"a.w": values[0, 0]})
        print(number, flush=True)
"""


def finished_before_the_kill(path: Path, batches: int) -> int:
    """Record into a file in another process, kill that once it has written some batches, and give how many it wrote."""
    with subprocess.Popen([sys.executable, "-c", RECORD_FOREVER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(batches):
            process.stdout.readline()
        with TraceReader(path) as reader:  # while another process writes it
            assert len(reader) >= 3 * batches
        process.send_signal(signal.SIGKILL)
        return batches + process.stdout.read().count(b"\n")


@pytest.mark.parametrize("batches", [1, 5, 70, 300])
def test_a_recorder_of_batches_killed_at_any_instant_leaves_what_it_finished(tmp_path: Path, batches: int) -> None:
    path = tmp_path / "t.h5"
    finished = finished_before_the_kill(path, batches)
    try:
        TraceReader(path).close()
    except UserError as error:
        # The kernel may stop in the middle of a write for SIGKILL, once in hundreds of kills; twice is a fault.
        assert "is damaged" in str(error)
        finished = finished_before_the_kill(path := tmp_path / "again.h5", batches)
    with h5py.File(path, swmr=True) as file:  # any program that knows HDF5
        assert file["count"][0] >= 3 * finished
    with TraceReader(path) as reader:
        assert len(reader) >= 3 * finished and len(reader.snapshots) >= finished
        for sample in reader:
            assert sample.label == sample.position % 3 and sample.epoch == sample.data_index
            expected = np.full((20, 50), float(sample.data_index + 1), np.float32)
            np.testing.assert_array_equal(reader.dense(sample.position, "a", "S"), expected)
            np.testing.assert_array_equal(reader.dense(sample.position, "a", "v"), expected)
        for snapshot in reader.snapshots:
            np.testing.assert_array_equal(reader.parameter(snapshot.position, "a.w"), float(snapshot.epoch + 1))


STREAM = """
import resource, sys, numpy as np
from pathlib import Path
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter
random = np.random.default_rng(0)
spikes = (random.random((10, 64, 2000)) < 0.3).astype(np.float32)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with TraceWriter(Path(sys.argv[1]), TraceHeader("x", {"a": (2000,)})) as writer:
    for number in range(int(sys.argv[2])):
        writer.append_batch(np.arange(64), np.zeros(64, int), {"a": {"S": spikes, "v": spikes}})
        if number == 1:
            before = peak()
print(peak() - before)
"""


def test_writing_takes_no_more_memory_for_a_longer_stream(tmp_path: Path) -> None:
    batches = 30  # 1.2 million places each: 150 MB of membranes
    command = [sys.executable, "-c", STREAM, str(tmp_path / "t.h5"), str(batches)]
    grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 20, f"{grown} MB for a stream of {batches * 64 * 10 * 2000 * 4 / 2**20:.0f} MB"


def test_reading_takes_no_more_memory_for_a_longer_stream(tmp_path: Path) -> None:
    spikes = (np.random.default_rng(0).random((10, 32, 2000)) < 0.3).astype(np.float32)
    with TraceWriter(tmp_path / "t.h5", TraceHeader("x", {"a": (2000,)})) as writer:
        for _ in range(30):
            writer.append_batch(np.arange(32), np.zeros(32, int), {"a": {"S": spikes}})
    with TraceReader(tmp_path / "t.h5") as reader:
        tracemalloc.start()
        for sample in reader:
            reader.events(sample.position, "a")
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    assert peak < 40, f"{peak:.0f} MB to read {30 * 10 * 32 * 2000 * 0.3 * 12 / 2**20:.0f} MB of events"
