"""Every module can be loaded: one that is loaded only when a command runs may name another that has moved."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import hardware_models
import neurorules


@pytest.mark.parametrize("package", [neurorules, hardware_models], ids=lambda package: package.__name__)
def test_every_module_can_be_loaded(package) -> None:
    names = [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    assert len(names) > 10
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
