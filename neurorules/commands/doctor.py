"""`neurorules doctor`, which reports what is installed, and what is slow or missing on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Json


def add_to(app: typer.Typer) -> None:
    """Add the command `doctor` to the command line."""
    app.command("doctor")(doctor)


def doctor(data_dir: DataDir = None, json: Json = False) -> None:
    """Report what is installed, what is slow or missing on this machine, and what to do about it."""
    from neurorules.doctor import examine

    findings = examine(data_dir)
    if json:
        print_json(findings)
        return
    print_table(["what", "found"], list(_facts(findings).items()))
    print()
    columns = ["name", "extra", "wanted", "version", "state"]
    print_table(columns, [[package[column] or "" for column in columns] for package in findings["packages"]])
    print()
    if not findings["advice"]:
        print("Nothing is slow or missing because of this machine.")
    for one in findings["advice"]:
        print(f"- {one['problem']}\n  Because: {one['because']}\n  Do this: {one['do']}")


def _facts(findings: Mapping[str, Any]) -> dict[str, str]:
    threads, memory, gpu = findings["threads"], findings["memory"], findings["gpu"]
    cache, data = findings["cache"], findings["data"]
    parts = {f"cache: {part['name'] or 'kernels'}": _part(part) for part in cache["parts"]}
    sets = {f"data: {name}": path for name, path in data["sets"].items()}
    return {
        "neurorules": f"{findings['neurorules']['version']}, {findings['neurorules']['folder']}",
        "Python": f"{findings['python']['version']}, {findings['python']['path']}, {findings['python']['system']}",
        "C compiler": _compiler(findings["compilers"]["c"]),
        "C++ compiler": _compiler(findings["compilers"]["c++"]),
        "threads": f"{threads['usable']} of {threads['machine']} cores may be used, torch starts {threads['torch']}",
        "memory": f"{_size(memory['available_bytes'])} free of {_size(memory['total_bytes'])}",
        "GPU": ", ".join(f"{one['name']} ({_size(one['memory_bytes'])})" for one in gpu["devices"]) or "none",
        "Triton": gpu["triton"] or "none",
        "cache folder": f"{cache['path']}, {_size(cache['bytes'])}, {_size(cache['free_bytes'])} free on its disk",
        **parts,
        "data folder": " and ".join(filter(None, (data["data_dir"], data["environment"]))) or "NEURORULES_DATA not set",
        **sets,
    }


def _compiler(one: Mapping[str, Any]) -> str:
    return f"{one['path'] or 'none'}, {'works' if one['works'] else 'cannot be used'}"


def _part(part: Mapping[str, Any]) -> str:
    held = f", {part['holds']}" if part["holds"] else ""
    return f"{_size(part['bytes'])} in {part['files']} files{held}"


def _size(size: int | None) -> str:
    from neurorules.disk.space import gigabytes

    return "unknown" if size is None else gigabytes(size)
