"""Imports: what import-linter cannot say about the floors of the house."""

from __future__ import annotations

import ast
import tomllib

import pytest
from sources import ROOT, Source, sources, under

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")

LEARNS = tuple(
    f"neurorules.{name}"
    for name in (
        "torch_path", "rules", "signals", "neurons", "normalisations", "connections", "transforms", "surrogates",
        "native", "contracts", "network",
    )
)  # fmt: skip
"""Everything that takes part in a training step of the torch path."""
MAY_NAME_GRADIENTS = {
    "neurorules/torch_path/snntorch/numbers.py": "reads which parameters a user has frozen",
    "neurorules/torch_path/snntorch/relays.py": "freezes the fixed weights of a sum of two layers",
    "neurorules/torch_path/snntorch/to_sequential.py": "hands those that a user has frozen back frozen",
    "neurorules/torch_path/snntorch/populations.py": "snnTorch layers for the user, who may train them by gradients",
    "neurorules/connections/_products.py": "asks whether such a user records, and then leaves the product to torch",
}


def registries() -> set[str]:
    """The folders that a `Registry(kind, folder)` names anywhere, and those of the design."""
    found = {f"neurorules.{kind}" for kind in ("neurons", "connections", "signals", "rules", "encoders", "datasets")}
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Registry":
                texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                found |= {text for text in texts[1:] if isinstance(text, str)}
    return found | {"hardware_models.devices"}


def test_every_part_of_the_library_stands_on_a_floor() -> None:
    named = {part.strip(" ()\n") for layer in LAYERS for part in layer.split(":")}
    parts = {".".join(source.module.split(".")[:2]) for source in under("neurorules")}
    missing = parts - named - {"neurorules", "neurorules.__main__"}
    assert not missing, f"add {sorted(missing)} to the layers of [tool.importlinter] in pyproject.toml"


@pytest.mark.parametrize("folder", sorted(registries()))
def test_files_of_a_registry_never_import_each_other(folder: str) -> None:
    wrong = []
    for source in under(folder):
        for name in source.imports:
            inside = name.removeprefix(f"{folder}.").split(".")[0] if name.startswith(f"{folder}.") else ""
            is_file = any(other.module == f"{folder}.{inside}" for other in under(folder))
            own = source.module.removeprefix(f"{folder}.").split(".")[0]
            if is_file and inside != own and not inside.startswith("_"):
                wrong.append(f"{source.name} imports {folder}.{inside}")
    assert not wrong, wrong


ASKS_FOR_GRADIENTS = (
    "autograd", "func", "backward", "requires_grad_", "grad", "retain_grad", "enable_grad", "set_grad_enabled",
    "register_hook", "vjp", "jvp",
)  # fmt: skip


def uses_autograd(source: Source) -> list[str]:
    """Places where a file asks torch for gradients."""
    found = [name for name in source.imports if name.startswith(("torch.autograd", "torch.func", "functorch"))]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in ASKS_FOR_GRADIENTS:
            if node.attr in ("autograd", "func") and ast.unparse(node.value) != "torch":
                continue
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.Attribute | ast.keyword):
            name = node.attr if isinstance(node, ast.Attribute) else node.arg
            if name == "requires_grad":
                found.append(f"line {node.lineno}: requires_grad")
    return found


def test_no_gradient_is_taken_anywhere_on_the_torch_path() -> None:
    wrong = {source.name: found for source in under(*LEARNS) if (found := uses_autograd(source))}
    assert wrong.keys() == MAY_NAME_GRADIENTS.keys(), wrong


def test_only_the_brian2_machines_and_texts_beside_neurons_import_brian2() -> None:
    machines = ("neurorules.brian2_objects", "neurorules.brian2_steps", "neurorules.brian2_continuous")
    allowed = (*machines, "neurorules.neurons", "neurorules.rules")
    wrong = [
        source.name
        for source in under("neurorules")
        if any(name.split(".")[0] == "brian2" for name in source.imports) and not source.module.startswith(allowed)
    ]
    assert not wrong, wrong


def test_the_brian2_machines_import_no_torch_themselves() -> None:
    wrong = [
        source.name
        for source in under("neurorules.brian2_objects", "neurorules.brian2_steps", "neurorules.brian2_continuous")
        if any(name.split(".")[0] in ("torch", "snntorch") for name in source.imports)
    ]
    assert not wrong, wrong


HANDED = ("observe", "drive", "third_factor", "measures", "scores")


def test_signals_are_asked_in_the_one_place_that_decides_what_they_get() -> None:
    wrong = [
        f"{source.name}, line {node.lineno}"
        for source in under("neurorules", "hardware_models")
        if source.module != "neurorules.torch_path.trial.allowance"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in HANDED
        and ast.unparse(node.func.value).endswith("signal")
    ]  # fmt: skip
    assert not wrong, wrong
