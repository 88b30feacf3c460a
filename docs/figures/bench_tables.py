"""What is kept of a folder of `neurorules bench`: its ratios to snnTorch, its hottest places, and its picture."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neurorules.bench.measure import MEMORY, PEER
from neurorules.bench.picture import ACROSS

IMAGES = Path(__file__).resolve().parent.parent / "images"


def tables_of(found: Mapping[str, Any], command: str, commit: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tables that pages show of one measurement.

    Args:
        found: what `bench.json` holds.
        command: the command, without what says where it ran.
        commit: the commit that was measured.

    Returns:
        Content of the stored files of ratios and of hottest places.
    """
    busy, versions = found["busy"], ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    head = {
        "command": command, "commit": commit, "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{found['processor']} with {found['cores']} cores, {found['threads']} thread(s), {versions}",
        "note": f"medians of the ratio of two times of one turn, {found['repetitions']} turns; meanwhile others used "
        f"{busy['other_cores']:.2f} of {found['cores']} cores",
    }  # fmt: skip
    systems = [system for system in found["points"][0]["systems"] if system not in (PEER, MEMORY)]
    ratios = [
        [where(point, found["sweep"]), *(f"{point['systems'][s]['to'][PEER]['median']:.2f}" for s in systems)]
        for point in found["points"]
    ]
    hottest = [
        [where(point, found["sweep"]), rule, *(f"{of['place']}, {100 * of['share']:.0f} %" for of in places)]
        for point in found["points"]
        for rule, system in point["systems"].items()
        if (places := system.get("hottest"))
    ]
    return (
        {**head, "columns": ["", *systems], "rows": ratios},
        {**head, "columns": ["", "rule", "first", "second", "third"], "rows": hottest},
    )


def where(point: Mapping[str, Any], sweep: str | None) -> str:
    """The name of a point: the quantity that was varied, and the activity."""
    activity = f"{100 * point['activity']:g} % fire"
    if sweep in (None, "activity"):
        return activity
    label, place = ACROSS[sweep]
    return f"{place(point):g} {label.split(',')[0].split(' T')[0]}, {activity}"


def keep_picture(folder: Path, name: str) -> None:
    """Copy the picture of a measurement to the images of the pages."""
    shutil.copyfile(folder / "bench.png", IMAGES / f"{name}.png")
