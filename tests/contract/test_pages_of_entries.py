"""The pages for those who write a rule, a device or an exporter: what they write passes its suite and is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_blocks import blocks
from test_packages_of_others import install, python

RUN_PAGE = "import sys; from pathlib import Path; from page_blocks import run_page; run_page(Path(sys.argv[1]))"
PAGES = {
    "writing-a-rule.md": ("my_rules", "trial_eprop.py"),
    "writing-a-device.md": ("my_devices", "soft_bounds.py"),
    "writing-an-exporter.md": ("my_exporters", "jsonl.py"),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_entry_of_a_page_is_installed_and_its_commands_run(
    page: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, file = PAGES[page]
    install(repository / "docs" / page, module, file, tmp_path)
    there = [block.code for block in blocks((repository / "docs" / page).read_text(encoding="utf-8"))]
    assert (tmp_path / module / file).read_text(encoding="utf-8") in there
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(repository / "tests" / "house"), prepend=":")
    done = python(tmp_path, "-c", RUN_PAGE, str(repository / "docs" / page))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout or page == "writing-a-rule.md"


@pytest.mark.slow
def test_the_rule_of_the_page_learns_more_than_its_frozen_control(repository: Path, tmp_path: Path) -> None:
    install(repository / "docs" / "writing-a-rule.md", "my_rules", "trial_eprop.py", tmp_path)
    code = """
import neurorules

net = {"data": "digits", "net": "48", "steps": 12, "epochs": 4, "batch_size": 32}
own = neurorules.train("trial_eprop", **net)["test_accuracy"]
frozen = neurorules.train("shallow", neuron="lif:beta=0.9", norm="none", init="he", **net)["test_accuracy"]
assert own > frozen + 0.1, (own, frozen)
"""
    done = python(tmp_path, "-c", code)
    assert done.returncode == 0, done.stdout + done.stderr
