"""Frames of events: none is lost, and what is kept on disk is whole."""

from __future__ import annotations

import builtins
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurorules.contracts.data_set import DataSet, Recordings, content_checksum
from neurorules.datasets import open_dataset
from neurorules.encoders import _framing as framing
from neurorules.encoders import open_encoder
from neurorules.language.config import TrainConfig
from neurorules.language.errors import MissingExtra, UserError
from neurorules.rules import RULES
from neurorules.torch_path.training.batches import load_training_data

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def recordings(*samples: list[tuple[int, int, int, int]]) -> Recordings:
    """Recordings of the given events (x, y, polarity, t_us) on a sensor of 4 x 3 pixels."""
    flat = np.array([event for sample in samples for event in sample], dtype=np.int64).reshape(-1, 4)
    x, y, polarity = (flat[:, axis].astype(np.uint8) for axis in range(3))
    t_us, offsets = flat[:, 3].astype(np.int32), np.cumsum([0, *map(len, samples)], dtype=np.int64)
    return Recordings(x, y, polarity, t_us, offsets, (2, 3, 4), content_checksum(flat, offsets))


def frames(text: str, events: Recordings, steps: int, cache: Path | None = None) -> np.ndarray:
    return open_encoder(text, "events").prepare(events, steps, cache)


@pytest.fixture(scope="module")
def nmnist() -> Recordings:
    folder = Path(os.environ.get("NEURORULES_DATA") or BESIDE)
    if not (folder / "nmnist").is_dir():
        pytest.skip("needs N-MNIST in NEURORULES_DATA")
    return open_dataset("nmnist", folder).test


EVENT = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1), st.integers(0, 2**23 - 1))
SAMPLES = st.lists(st.lists(EVENT, max_size=12), min_size=1, max_size=5)


@given(samples=SAMPLES, steps=st.integers(1, 40), bin_ms=st.sampled_from([0, 0.7, 10, 9000]))
def test_no_event_is_lost_whatever_the_bins(samples, steps, bin_ms):
    events = recordings(*samples)
    found = frames(f"frames:bin_ms={bin_ms}", events, steps)
    assert found.shape == (len(samples), steps, 2, 3, 4)
    for sample, counts in zip(samples, found, strict=True):
        expected = np.zeros((2, 3, 4), int)
        for x, y, polarity, _ in sample:
            expected[polarity, y, x] += 1
        assert np.array_equal(counts.sum(axis=0), expected)


@given(samples=SAMPLES, steps=st.integers(1, 40))
def test_the_first_event_is_in_the_first_bin_and_the_last_in_the_last(samples, steps):
    for sample, counts in zip(samples, frames("frames", recordings(*samples), steps), strict=True):
        times = {t for *_, t in sample}
        if sample:
            assert counts[0].any()
        if len(times) > 1 and max(times) - min(times) + 1 >= steps:
            assert counts[-1].any()


def test_equal_bins_span_each_recording_from_its_first_event_to_its_last():
    events = recordings([(0, 0, 0, t) for t in (100, 109, 110, 119)], [(1, 2, 1, t) for t in (0, 4_999, 5_000, 9_999)])
    found = frames("frames", events, 2)
    assert found[0, :, 0, 0, 0].tolist() == [2, 2] and found[1, :, 1, 2, 1].tolist() == [2, 2]


def test_fixed_bins_begin_with_the_first_event_and_the_last_takes_what_comes_after():
    events = recordings([(0, 0, 0, t) for t in (500, 1_499, 1_500, 2_499, 2_500, 3_500, 99_000)])
    assert frames("frames:bin_ms=1", events, 3)[0, :, 0, 0, 0].tolist() == [2, 2, 3]


def test_events_need_not_be_in_the_order_of_time():
    one, other = [(0, 0, 0, 30), (1, 0, 0, 10), (2, 0, 1, 19)], [(2, 0, 1, 19), (0, 0, 0, 30), (1, 0, 0, 10)]
    found = frames("frames", recordings(one, [], other), 4)
    assert np.array_equal(found[0], found[2]) and not found[1].any()


def test_only_what_first_ms_keeps_is_counted_and_a_line_says_what_is_not(caplog):
    events = recordings([(0, 0, 0, t) for t in (1_000, 2_000, 3_000, 3_001, 90_000)])
    with caplog.at_level(logging.WARNING):
        fitted = open_encoder("frames:first_ms=2", "events").fit(events)
    assert "leaves out 2 of 5 training events (40.0 %)" in caplog.text
    assert fitted.statistics == {"events": 5.0, "events_left_out": 2.0}
    assert fitted.prepare(events, 2, None)[0, :, 0, 0, 0].tolist() == [2, 1]


def test_nothing_is_said_where_nothing_is_left_out(caplog):
    open_encoder("frames", "events").fit(recordings([(0, 0, 0, 0)]))
    assert not caplog.records


@pytest.mark.parametrize(("count", "dtype"), [(255, np.uint8), (256, np.int16), (40_000, np.int32)])
def test_counters_are_as_wide_as_the_counts(tmp_path, count, dtype):
    events = recordings([(1, 1, 1, 5)] * count, [(0, 0, 0, 5)])
    for cache in (None, tmp_path):
        found = frames("frames", events, 1, cache)
        assert found.dtype == dtype and found[0, 0, 1, 1, 1] == count and found[1].sum() == 1


def test_frames_made_in_pieces_are_those_made_at_once(monkeypatch):
    random = np.random.default_rng(0)
    samples = [[tuple(event) for event in random.integers(0, [4, 3, 2, 1000], (9, 4)).tolist()] for _ in range(7)]
    whole = frames("frames", recordings(*samples), 5)
    monkeypatch.setattr(framing, "CHUNK_CELLS", 2 * 5 * 24)
    monkeypatch.setattr(framing.native, "serves", lambda *given: False)
    assert np.array_equal(frames("frames", recordings(*samples), 5), whole)


def test_a_batch_of_frames_goes_time_first_and_may_be_clipped():
    events = recordings([(1, 2, 1, 0)] * 3 + [(0, 0, 0, 9)], [(3, 0, 0, 0)])
    generator = torch.Generator()
    for text, most in (("frames", 3.0), ("frames:clip=true", 1.0)):
        encoder = open_encoder(text, "events")
        batch = torch.from_numpy(encoder.prepare(events, 5, None)[np.array([1, 0])])
        found = encoder.encode(batch, 5, generator)
        assert found.values.shape == (5, 2, 2, 3, 4) and found.values.dtype == torch.float32 and not found.constant
        assert found.values[0, 1, 1, 2, 1] == most and found.values[4, 1, 0, 0, 0] == 1
    with pytest.raises(UserError, match="made for 5 steps, asked for 6"):
        encoder.encode(batch, 6, generator)


@pytest.mark.parametrize("coordinate", [np.uint8, np.uint16])
@given(
    samples=SAMPLES, steps=st.integers(1, 40), bin_ms=st.sampled_from([0, 0.001, 0.07, 0.7, 1e3, 1e300]),
    first_ms=st.sampled_from([0, 0.5, 4194.304, 1e300]),
)  # fmt: skip
def test_the_compiled_counts_are_those_of_numpy(coordinate, samples, steps, bin_ms, first_ms):
    events = recordings(*samples)
    events = replace(events, x=events.x.astype(coordinate), y=events.y.astype(coordinate))
    bins = framing.Bins(steps, bin_ms * 1000.0, first_ms * 1000.0 or np.inf)
    for counter in framing.COUNTERS:
        compiled, plain = (np.full((len(samples), steps, 2, 3, 4), 7, counter) for _ in range(2))
        assert framing.native.serves(events, compiled), "needs a C compiler"
        assert framing.count_events(events, bins, compiled) and framing.count_in_chunks(events, bins, plain)
        assert np.array_equal(compiled, plain)


def test_the_first_microsecond_of_a_step_is_exact_where_its_product_was_rounded():
    for width_us in (0.1 * 3 * 1000.0, 70.00000000000001, 33.3, 1e3 / 7):
        edges = framing.Bins(5000, width_us, np.inf).edges()
        assert np.array_equal(edges // width_us, np.arange(5000)) and (edges[1:] - 1) // width_us == pytest.approx(
            np.arange(4999), abs=0
        )


def test_an_event_beyond_the_sensor_is_never_counted_into_another_pixel():
    for wrong in ((4, 0, 0, 0), (0, 3, 0, 0), (0, 0, 2, 0)):
        with pytest.raises(IndexError, match="outside the sensor"):
            frames("frames", recordings([(0, 0, 0, 0)], [wrong]), 2)


# --- the file in the cache


def test_one_file_serves_all_recordings_that_are_used_whatever_is_held_out(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path))
    events = recordings(*([(n % 4, n // 4 % 3, n % 2, t) for t in range(n % 3 + 1)] for n in range(40)))
    source = DataSet("own", "events", events.sensor, 4, events, np.arange(40) % 4, events, np.arange(40), "c", "frames")
    config = TrainConfig("sigprop", data="own", steps=2, limit=30)
    for held_out in (3, 12):
        settled = RULES.make("sigprop").settle(replace(config, validation=held_out))
        data = load_training_data(settled, source)
        assert len(data.validation) == held_out and len(data.train) == 30 - held_out
        for part in (data.train, data.validation):
            drive, labels = part.batch(np.arange(len(part)), torch.Generator())
            column, polarity = drive.values.sum((0, 2, 3)).argmax(1), drive.values.sum((0, 3, 4)).argmax(1)
            assert torch.equal(column, labels) and torch.equal(polarity, labels % 2)
    assert len(list((tmp_path / "frames").glob("frames-*.npy"))) == 1


def test_recordings_in_their_own_order_are_cut_like_those_in_any_order():
    events = recordings(*([(n, 0, 0, t) for t in range(n)] for n in (2, 0, 3, 1)))
    for places in ([0, 2], [1, 3], [0, 1, 2, 3], [], [2, 0, 2], [2, 2]):
        part = events.subset(np.array(places, dtype=np.int64))
        assert [part.recording(i).x.tolist() for i in range(len(places))] == [
            events.recording(place).x.tolist() for place in places
        ]


def test_frames_are_kept_in_one_file_and_read_from_it_again(tmp_path, monkeypatch):
    events = recordings([(1, 2, 1, 0), (0, 0, 0, 9)])
    made = frames("frames", events, 3, tmp_path / "new")
    assert isinstance(made, np.memmap) and not made.flags.writeable
    assert np.array_equal(made, frames("frames", events, 3))
    assert len(list((tmp_path / "new").iterdir())) == 1
    monkeypatch.setattr("neurorules.encoders.frames.build_frames", None)
    assert np.array_equal(frames("frames", events, 3, tmp_path / "new"), made)
    assert np.array_equal(frames("frames:clip=true", events, 3, tmp_path / "new"), made)


def test_other_events_options_or_steps_have_files_of_their_own(tmp_path):
    events, other = recordings([(1, 2, 1, 0)], [(1, 2, 1, 0)]), recordings([(1, 2, 1, 1)], [(1, 2, 1, 0)])
    for text, samples, steps in [
        ("frames", events, 3),
        ("frames", events, 4),
        ("frames", other, 3),
        ("frames", events[1:], 3),
        ("frames:bin_ms=1", events, 3),
        ("frames:first_ms=1", events, 3),
    ]:
        frames(text, samples, steps, tmp_path)
    assert len(list(tmp_path.iterdir())) == 6


def test_a_damaged_file_is_made_anew(tmp_path):
    events = recordings([(1, 2, 1, 0)])
    whole = np.array(frames("frames", events, 3, tmp_path))
    (path,) = tmp_path.iterdir()
    for damaged in (b"", b"no array", path.read_bytes()[:-5]):
        path.write_bytes(damaged)
        assert np.array_equal(frames("frames", events, 3, tmp_path), whole)


def test_an_interrupted_making_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(framing, "count_events", interrupted)
    with pytest.raises(KeyboardInterrupt):
        frames("frames", recordings([(1, 2, 1, 0)]), 3, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_many_may_make_the_same_frames_at_once(tmp_path):
    random = np.random.default_rng(0)
    events = recordings(*[[tuple(e) for e in random.integers(0, [4, 3, 2, 1000], (9, 4)).tolist()] for _ in range(50)])
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: frames("frames", events, 20, tmp_path), range(16)))
    assert all(np.array_equal(one, made[0]) for one in made) and made[0].sum() == events.events
    assert len(list(tmp_path.iterdir())) == 1


def test_frames_are_made_in_memory_where_the_cache_folder_cannot_be_written_and_a_line_says_so(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    events = recordings([(1, 2, 1, 0)])
    made = frames("frames", events, 3, tmp_path / "file" / "cache")
    assert not isinstance(made, np.memmap) and np.array_equal(made, frames("frames", events, 3))
    assert [record.message.count("NEURORULES_CACHE") for record in caplog.records] == [1]


# --- refusals, and tonic's filter


def test_images_or_no_steps_are_refused():
    with pytest.raises(UserError, match="--encode constant"):
        open_encoder("frames", "events").prepare(np.zeros((1, 1, 2, 2), np.uint8), 5, None)
    with pytest.raises(UserError, match="--steps 1"):
        frames("frames", recordings([(0, 0, 0, 0)]), 0)


def test_noise_is_filtered_as_tonic_does_it(tmp_path):
    transforms = pytest.importorskip("tonic.transforms")
    random = np.random.default_rng(0)
    samples = [sorted(map(tuple, random.integers(0, [4, 3, 2, 9_000], (30, 4)).tolist()), key=lambda e: e[3])]
    samples += [[], [(1, 1, 0, 5_000)]]
    found = frames("frames:denoise_us=300", recordings(*samples), 4, tmp_path)
    table = np.array(samples[0], dtype=[("x", int), ("y", int), ("p", int), ("t", int)])
    kept = transforms.Denoise(filter_time=300)(table)
    assert 0 < len(kept) < 30 and found[0].sum() == len(kept)
    assert not found[1:].any()


def test_without_tonic_the_extra_is_named(monkeypatch):
    whole = builtins.__import__

    def without_tonic(name, *rest, **options):
        if name.startswith("tonic"):
            raise ImportError(name)
        return whole(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_tonic)
    with pytest.raises(MissingExtra, match=r"pip install 'neurorules\[events\]'"):
        frames("frames:denoise_us=300", recordings([(0, 0, 0, 0)]), 2)


# --- real recordings


@pytest.mark.parametrize("text", ["frames", "frames:bin_ms=10"])
def test_real_recordings_lose_no_event(nmnist, text):
    found = frames(text, nmnist, 20)
    assert np.array_equal(found.sum(axis=(1, 2, 3, 4), dtype=np.int64), np.diff(nmnist.offsets))


def test_frames_agree_with_those_of_tonic_but_for_the_events_it_loses(nmnist):
    transforms = pytest.importorskip("tonic.transforms")
    kind = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    to_frame = transforms.ToFrame(sensor_size=(34, 34, 2), time_window=10_000, include_incomplete=True)
    ours = frames("frames:bin_ms=10", nmnist, 40)
    for index in range(5):
        part = nmnist.recording(index)
        table = np.zeros(len(part.x), kind)
        table["x"], table["y"], table["t"], table["p"] = part.x, part.y, part.t_us, part.polarity
        theirs = to_frame(table)
        assert np.array_equal(ours[index, : len(theirs)], theirs) and not ours[index, len(theirs) :].any()
