"""Every export format read back by a library that knows nothing of neurorules, as one plain form to compare."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import libsonata
import neo
import nir
import numpy as np
import pyarrow.parquet as pq
import pynwb

Dense = dict[tuple[str, str], np.ndarray]


OF_A_SAMPLE = ("index", "label", "prediction", "epoch")


class Contents(NamedTuple):
    """A trace: header with T; rows of samples; rows (sample, t, neuron, value); arrays (n, T, N)."""

    header: dict[str, Any]
    samples: list[tuple[int, ...]]
    events: dict[str, list[tuple[int, int, int, float]]]
    dense: Dense


def name_of(header: dict[str, Any], label: int) -> str:
    """What a class is called: a label is its own name where classes have none."""
    return "unknown" if label < 0 else header["classes"][label] if header["classes"] else str(label)


def rows(sample: Any, t: Any, neuron: Any, value: Any) -> list[tuple[int, int, int, float]]:
    """Spikes in order, as Python's numbers; a float32 is a double without loss."""
    columns = [np.asarray(column).tolist() for column in (sample, t, neuron, np.asarray(value, np.float64))]
    found = [(int(s), int(k), int(n), v) for s, k, n, v in zip(*columns, strict=True)]
    assert len({spike[:3] for spike in found}) == len(found)
    return sorted(found)


def steps_of(times: Any, dt: float) -> np.ndarray:
    """The steps of times that must stand at the middles of steps."""
    steps = np.floor(np.asarray(times) / dt)
    np.testing.assert_allclose(np.asarray(times) / dt - steps, 0.5, atol=1e-6)
    return steps.astype(int)


def read_npz(path: Path) -> Contents:
    with np.load(path) as file:
        header = {"steps": int(file["steps"]), **json.loads(str(file["header"]))}
        columns = [file[f"samples/{name}"].tolist() for name in OF_A_SAMPLE]
        events, dense = {}, {}
        for layer in header["layers"]:
            if f"{layer}/t" in file:
                events[layer] = rows(*(file[f"{layer}/{name}"] for name in ("sample", "t", "neuron", "value")))
        for key in file.files:
            layer, _, name = key.rpartition("/")
            if layer in header["layers"] and name not in ("sample", "t", "neuron", "value"):
                dense[layer, name] = file[key]
        return Contents(header, list(zip(*columns, strict=True)), events, dense)


def read_csv(path: Path) -> Contents:
    header = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    samples = _csv_samples(path.with_suffix(".samples.csv"), header)
    events, dense = defaultdict(list), {}
    for row in _csv(path):
        assert tuple(int(row[name]) for name in OF_A_SAMPLE) == samples[int(row["sample"])]
        assert int(steps_of(float(row["t_ms"]), header["dt_ms"])) == int(row["t_step"])
        value = float(np.float32(row["value"]))
        events[row["layer"]].append((int(row["sample"]), int(row["t_step"]), int(row["neuron"]), value))
    if path.with_suffix(".dense.csv").exists():
        for row in _csv(path.with_suffix(".dense.csv")):
            key = row["layer"], row["variable"]
            shape = (len(samples), header["steps"], int(np.prod(header["layers"][row["layer"]])))
            place = tuple(int(row[name]) for name in ("sample", "t_step", "neuron"))
            dense.setdefault(key, np.full(shape, np.nan, np.float32))[place] = np.float32(row["value"])
    return Contents(header, samples, {layer: sorted(found) for layer, found in events.items()}, dense)


def read_parquet(path: Path) -> Contents:
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"neurorules"])
    found = pq.read_table(path.with_suffix(".samples.parquet")).to_pydict()
    samples = list(zip(*(found[name] for name in OF_A_SAMPLE), strict=True))
    for name in OF_A_SAMPLE:
        assert table[name].to_pylist() == [found[name][sample] for sample in table["sample"].to_pylist()]
    assert [name_of(header, k) for k in found["label"]] == found["label_name"]
    assert np.array_equal(steps_of(table["t_ms"].to_numpy(), header["dt_ms"]), table["t_step"].to_numpy())
    layers = np.array(table["layer"].to_pylist(), dtype=object)
    columns = [table[name].to_numpy() for name in ("sample", "t_step", "neuron", "value")]
    events = {layer: rows(*(column[layers == layer] for column in columns)) for layer in set(layers)}
    dense: dict[Any, list[Any]] = defaultdict(list)
    if path.with_suffix(".dense.parquet").exists():
        for row in pq.read_table(path.with_suffix(".dense.parquet")).to_pylist():
            dense[row["layer"], row["variable"]].append((row["sample"], row["t_step"], row["values"]))
    return Contents(header, samples, events, {key: _stacked(found, len(samples)) for key, found in dense.items()})


def read_events(path: Path) -> Contents:
    header = json.loads((path / "trace.json").read_text(encoding="utf-8"))
    events, dense = {}, {}
    for layer, shape in header["layers"].items():
        for file in path.glob(f"{layer}.*.npy"):
            name = file.name.removeprefix(f"{layer}.").removesuffix(".npy")
            if name != "end" and "." not in name:
                dense[layer, name] = np.load(file)
        if not (path / f"{layer}.npy").exists():
            continue
        found, ends = np.load(path / f"{layer}.npy"), np.load(path / f"{layer}.end.npy")
        channels, height, width = (1,) * (3 - len(shape)) + tuple(shape)
        assert not len(found) or found["p"].max() < channels
        neuron = (found["p"].astype(np.int64) * height + found["y"]) * width + found["x"]
        sample = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        events[layer] = rows(sample, found["t"] // round(header["dt_ms"] * 1000), neuron, found["value"])
    return Contents(header, _csv_samples(path / "samples.csv", header), events, dense)


def read_nirdata(path: Path) -> Contents:
    with h5py.File(path) as file:
        header = json.loads(file["trace/header"].asstr()[()])
        columns = [file[f"samples/{name}"][:].tolist() for name in OF_A_SAMPLE]
    dt = header["dt_ms"] / 1000
    events, dense = {}, {}
    for layer, node in nir.read_data(path).nodes.items():
        for name, found in node.observables.items():
            if isinstance(found, nir.TimeGriddedData):
                assert found.dt == dt
                dense[layer, name] = found.data
                continue
            grid = found.to_time_gridded(dt).data
            assert grid.shape == (len(columns[0]), header["steps"], int(np.prod(header["layers"][layer])))
            steps_of(found.time[found.idx >= 0], dt)
            valued = isinstance(found, nir.ValuedEventData)
            place = np.nonzero(grid)
            assert len(place[0]) == np.count_nonzero(found.idx >= 0)
            events[layer] = rows(*place, grid[place] if valued else np.ones(len(place[0])))
    return Contents(header, list(zip(*columns, strict=True)), events, dense)


def read_sonata(path: Path) -> Contents:
    header = json.loads((path / "trace.json").read_text(encoding="utf-8"))
    samples = _csv_samples(path / "samples.csv", header)
    steps, events, dense = header["steps"], {}, {}
    storage = libsonata.SpikeReader(str(path / "spikes.h5"))
    with h5py.File(path / "spikes.h5") as file:
        assert (file.attrs["magic"], list(file.attrs["version"])) == (0x0A7A, [0, 1])
        for layer in storage.get_population_names():
            assert storage[layer].sorting == "by_time"
            found = storage[layer].get_dict()
            step = steps_of(found["timestamps"], header["dt_ms"])
            values = file[f"spikes/{layer}/values"][:]
            events[layer] = rows(step // steps, step % steps, found["node_ids"], values)
    for report in path.glob("*_report.h5"):
        elements = libsonata.ElementReportReader(str(report))
        for layer in elements.get_population_names():
            found = elements[layer].get()
            dense[layer, report.name.removesuffix("_report.h5")] = np.reshape(found.data, (len(samples), steps, -1))
    return Contents(header, samples, events, dense)


def read_nwb(path: Path) -> Contents:
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        header = json.loads(file.notes)
        trials = file.trials
        samples = list(zip(*(trials[name][:].tolist() for name in OF_A_SAMPLE), strict=True))
        dt = file.units.resolution
        begins = np.round(trials["start_time"][:] / dt).astype(int)
        assert np.array_equal(np.round(trials["stop_time"][:] / dt) - begins, np.full(len(begins), header["steps"]))
        summed: dict[str, dict[tuple[int, int, int], float]] = defaultdict(lambda: defaultdict(float))
        for unit in range(len(file.units)):
            layer, neuron = file.units["layer"][unit], int(file.units["neuron"][unit])
            times = file.units["spike_times"][unit]
            assert np.all(np.diff(times) > 0)
            values = file.units["spike_values"][unit] if "spike_values" in file.units.colnames else np.ones(len(times))
            for step, value in zip(np.floor(times / dt).astype(int), values, strict=True):
                sample = int(np.searchsorted(begins, step, side="right")) - 1
                summed[layer][sample, int(step - begins[sample]), neuron] += float(value)
        events = {layer: sorted((*key, value) for key, value in found.items()) for layer, found in summed.items()}
        return Contents(header, samples, events, _nwb_dense(file, header, len(samples)))


def _nwb_dense(file: pynwb.NWBFile, header: dict[str, Any], samples: int) -> Dense:
    parts: dict[tuple[str, str], list[tuple[int, np.ndarray]]] = defaultdict(list)
    for series in file.acquisition.values():
        about = json.loads(series.comments.removeprefix("neurorules: "))
        assert about["variable"] != "v" or series.unit == "volts"
        data = (series.data[:] / about["scale"]).astype(np.float32).reshape(samples, header["steps"], -1)
        parts[about["layer"], about["variable"]].append((about["first_neuron"], data))
    return {key: np.concatenate([data for _, data in sorted(found)], axis=2) for key, found in parts.items()}


def read_nix(path: Path) -> Contents:
    io = neo.io.NixIO(str(path), mode="ro")
    block = io.read_block()
    io.close()
    header = json.loads(block.annotations["header"])
    samples, events, dense = [], defaultdict(list), defaultdict(list)
    for sample, segment in enumerate(block.segments):
        assert segment.name == f"sample {sample}"
        samples.append(tuple(int(segment.annotations[name]) for name in ("data_index", "label", "prediction", "epoch")))
        for train in segment.spiketrains:
            steps = steps_of(train.rescale("ms").magnitude, header["dt_ms"])
            values = np.ravel(train.array_annotations.get("value", np.ones(len(steps))))
            neurons = np.ravel(train.array_annotations.get("neuron", [train.annotations.get("neuron")] * len(steps)))
            events[train.annotations["layer"]] += rows([sample] * len(steps), steps, neurons, values)
        for signal in segment.analogsignals:
            key = signal.annotations["layer"], signal.annotations["variable"]
            dense[key].append(signal.magnitude)
            scale = 20.0 if key[1] == "v" else 1.0
            assert key[1] != "v" or str(signal.dimensionality) == "mV"
            dense[key][-1] = (signal.magnitude / scale).astype(np.float32)
    return Contents(
        header,
        samples,
        {layer: sorted(found) for layer, found in events.items()},
        {key: np.stack(found) for key, found in dense.items()},
    )


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _csv_samples(path: Path, header: dict[str, Any]) -> list[tuple[int, ...]]:
    found = _csv(path)
    assert [int(row["sample"]) for row in found] == list(range(len(found)))
    for row in found:
        label = int(row["label"])
        assert row["label_name"] == name_of(header, label)
    return [tuple(int(row[name]) for name in OF_A_SAMPLE) for row in found]


def _stacked(found: list[tuple[int, int, list[float]]], samples: int) -> np.ndarray:
    values = np.array([row[2] for row in sorted(found)], np.float32)
    return values.reshape(samples, -1, values.shape[1])


READERS: dict[str, Callable[[Path], Contents]] = {
    "npz": read_npz,
    "csv": read_csv,
    "parquet": read_parquet,
    "events": read_events,
    "nirdata": read_nirdata,
    "sonata": read_sonata,
    "nwb": read_nwb,
    "nix": read_nix,
}
