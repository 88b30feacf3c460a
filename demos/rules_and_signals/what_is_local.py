"""
What does an update depend on? The audit
========================================

"Local" is easily said of a rule. Here it is measured: one thing in the net is changed, a single trial runs again, and
every bit of every update is compared with the bits of before. Nothing is taken from what a rule says of itself.
"""

# %%
# Three rules on one small net
# ----------------------------
# ``bptt`` is backpropagation through time. ``dfa`` sends the output error to each layer through fixed random weights.
# ``sigprop`` sends the classes forward, and each layer compares for itself.
# ``neurorules audit --rules bptt,dfa,sigprop`` prints the same from a shell.

import matplotlib.pyplot as plt
import numpy as np

from neurorules.audit import audit_rules, problems_of
from neurorules.audit.matrix import as_text, matrices

RULES = ["bptt", "dfa", "sigprop"]
audit = audit_rules(RULES, net="12-10-8")
for matrix in matrices(audit):
    print(as_text(matrix), end="\n\n")

# %%
# How to read a matrix
# --------------------
# A row is a layer whose update is looked at, and a column is what was changed. A field is filled where at least one bit
# of the update changed. Blue is what a synapse can know: its own layer and those below. Orange is what stands above the
# layer. The label has a colour of its own.

COLOURS = {"none": "0.94", "near": "#56B4E9", "far": "#D55E00", "told": "#009E73", "late": "#CC79A7", "untried": "1"}
figure, axes = plt.subplots(3, 1, figsize=(8, 7), layout="constrained")
for axis, matrix in zip(axes, matrices(audit), strict=True):
    for row, layer in enumerate(matrix.layers):
        for column, (kind, changed) in enumerate(matrix.columns):
            mark = matrix.marks.get((layer, kind, changed), "untried")
            axis.add_patch(plt.Rectangle((column, row), 0.94, 0.94, color=COLOURS[mark]))
    titles = [f"{kind}\n{name}" if kind in ("weights", "activity") else name for kind, name in matrix.columns]
    axis.set(xlim=(0, len(titles)), ylim=(0, len(matrix.layers)), title=matrix.rule, ylabel="update of")
    axis.set_xticks(np.arange(len(titles)) + 0.5, titles, fontsize=7)
    axis.set_yticks(np.arange(len(matrix.layers)) + 0.5, matrix.layers)
    axis.tick_params(length=0)
plt.show()

# %%
# The columns tell the story. With ``bptt`` a hidden layer's update moves when weights *above* it are changed, although
# a synapse has no way to know them. With ``dfa`` it does not, but the activity of the read-out still reaches every
# layer, because the error is made there. With ``sigprop`` nothing above a layer matters to it: only the label is told.
# All three wait for later steps, since each of them judges a trial as a whole.
#
# Four problems of backpropagation
# --------------------------------
# Papers on local rules name four reasons why a brain or a chip cannot run backpropagation. The audit answers each from
# the same measurements.

TITLES = {
    "weight_symmetry": "needs the weights above, transposed",
    "non_local_signals": "needs a signal from another layer",
    "frozen_activity": "activity has to wait for a backward pass",
    "update_locking": "the update has to wait for layers above",
}
print(f"{'':42}{'bptt':>8}{'dfa':>8}{'sigprop':>10}")
answers = {rule: problems_of(rule, audit) for rule in RULES}
for name, title in TITLES.items():
    has = ["yes" if answers[rule][name]["has"] else "-" for rule in RULES]
    print(f"{title:42}{has[0]:>8}{has[1]:>8}{has[2]:>10}")

# %%
# What a rule says of itself
# --------------------------
# Each signal declares what it needs, and the learner hands it nothing else. The audit measures the needs too, and says
# where a declaration and the measurement differ. Here they agree.

for fact in audit["facts"]:
    assert fact["needs"] == fact["declared_needs"]
    print(f"{fact['rule']:8} needs {', '.join(fact['needs'])}")

# %%
# A rule of your own is audited in the same way: ``neurorules audit --rules ./my_rule.py``.
