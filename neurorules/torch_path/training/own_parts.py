"""The user's own files that the rule, signal and neurons of a configuration come from."""

from __future__ import annotations

from pathlib import Path

from neurorules.language.config import TrainConfig
from neurorules.language.options import parse_named
from neurorules.language.own_files import listed
from neurorules.language.registry import OWN_PARTS
from neurorules.rules import RULES


def own_files_of(config: TrainConfig) -> dict[str, Path]:
    """Find the files that a configuration's parts come from.

    Args:
        config: the configuration; the signal of its rule is included.

    Returns:
        Paths by name; empty if all parts are installed.

    Raises:
        UserError: the rule is unknown, or its file cannot be run.
    """
    files = listed()
    if not files:
        return {}
    texts = [text for name in OWN_PARTS if (text := getattr(config, name)) is not None]
    signal = RULES.make(config.rule).signal
    texts += [] if signal is None else [signal.name]
    names = {parse_named(text)[0].replace("-", "_") for text in texts}
    return {name: path for name, path in files.items() if name in names}
