"""The file that `neurorules new rule NAME` writes."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from neurorules.language.errors import UserError
from neurorules.language.registry import Registry
from neurorules.runs.atomic import write_text

TEMPLATE = '''"""{title}: say in one line what it does."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


def {name}() -> Rule:
    """{title}. Keyword parameters of this function become options: `{name}:key=value`."""
    return Rule(
        name="{name}",
        plasticity=(
            # One text for each parameter. `_post` and `_pre` say where a name lives; a name without suffix is the
            # synapse's own. It may read: m_post (third factor), v_post (membrane before reset), S_pre, S_post
            # (spikes), kept_post (dropout's mask of the neuron's own spikes), mean_pre (running mean of S_pre), w.
            # psi() is the neuron's pseudo-derivative; through_norm() carries a post factor back through the neuron's
            # own normalisation. delay(S_pre, 3) is S_pre of three steps ago. With trace_decay=0.8 there are x_pre and
            # x_post, low-pass traces of the spikes, and before(x_pre), without this step's own.
            # eligibilities=(Eligibility("e", 0.9, "psi(v_post) * S_pre"),), imported from
            # neurorules.language.eligibility, declares a trace a synapse, e.
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,  # the read-out's own rule
        ),
        # Where m_post comes from: neurorules list signals. None for a rule without a third factor.
        signal=SignalSpec("dfa"),
        # The texts hold no learning rate: the optimiser does.
        defaults=Defaults(lr=3e-3, readout_lr=3e-3, optimizer="adam"),
        source=Source("Your name", {year}, "Title of the paper", ("how this differs from the paper",), link=""),
    )


ENTRY = {name}
'''


def write_rule(name: str, folder: Path | None, rules: Registry, year: int = 2026) -> Path:
    """Write a new rule file.

    Args:
        name: of the rule and of its file.
        folder: where to, made where it is missing; the rules' own folder if None.
        rules: the registry, whose names are taken.
        year: of the citation.

    Raises:
        UserError: a name that cannot be a file's or is taken, or a folder that cannot be made.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"rule name '{name}' cannot be a file's. Use lower-case letters, digits and underscores")
    if name in rules.modules:
        raise UserError(f"rule '{name}' exists already. Choose another name")
    home = folder or Path(__file__).parent
    path = home / f"{name}.py"
    if path.exists():
        raise UserError(f"{path} exists already. Choose another name, or remove it")
    if not home.is_dir():
        try:
            home.mkdir(parents=True)
        except OSError as error:
            raise UserError(f"folder {home} cannot be made ({error.strerror}). Give another --folder") from None
        write_text(home / "__init__.py", f'"""Learning rules of {home.name}."""\n')
    write_text(path, TEMPLATE.format(name=name, title=name.replace("_", " ").capitalize(), year=year))
    return path


def package_of(path: Path) -> str:
    """The dotted name of the package that a file lies in."""
    parts = [path.resolve().parent]
    while (parts[-1].parent / "__init__.py").exists():
        parts.append(parts[-1].parent)
    return ".".join(part.name for part in reversed(parts))
