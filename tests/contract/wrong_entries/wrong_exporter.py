"""Spikes as lines of text, with faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurorules.traces.store import TraceReader


@dataclass(frozen=True)
class WrongExporter:
    """One line a spike, unless there is a fault."""

    fault: str = "none"

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        lines = ["sample t neuron value layer"]
        for layer in reader.layers:
            for sample in range(len(reader)):
                events = reader.events(sample, layer)
                rows = zip(events.t.tolist(), events.neuron.tolist(), events.value.tolist(), strict=True)
                lines += [f"{sample} {t} {neuron} {value!r} {layer}" for t, neuron, value in rows]
        match self.fault:
            case "empty" if not len(reader):
                return []
            case "blind":
                lines = lines[:1]
            case "negative":
                lines = [line for line in lines if " -" not in line]
            case "unsaid":
                out.with_name("more.txt").write_text("more")
            case "trace":
                with reader.path.open("ab") as file:
                    file.write(b"\0")
        out.write_text("\n".join(lines), encoding="utf-8")
        return [out]


def wrong_exporter(fault: str = "none") -> Any:
    """An exporter, or an object that is none."""
    return object() if fault == "no_exporter" else WrongExporter(fault)


def read_spikes(path: Path) -> dict[str, list[tuple[int, int, int, float]]]:
    """Spikes by layer."""
    rows: dict[str, list[tuple[int, int, int, float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        sample, t, neuron, value, layer = line.split(" ")
        rows.setdefault(layer, []).append((int(sample), int(t), int(neuron), float(value)))
    return rows


ENTRY = wrong_exporter
READER = read_spikes
