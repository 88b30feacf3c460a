"""Arguments of the Python API that are of another kind than asked for: each is refused in one line that names it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
import neurorules, numpy as np, snntorch, torch
from torch import nn
from neurorules import Learner, compare, load, train
x, y = torch.rand(12, 4), torch.arange(12) % 3
pair = (x, y)
small = dict(net="4", epochs=1, limit=60, data="digits", steps=2)
one = Learner("8", "dfa", input_shape=(4,), classes=3, steps=2)
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 6), snntorch.Leaky(beta=0.9), nn.Linear(6, 3))
for call in sys.stdin.read().splitlines():
    try:
        eval(call)
        print("nothing is refused")
    except neurorules.UserError as error:
        print(error)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}".replace(chr(10), " "))
"""
SHAPE = (
    "Give the shape of one sample at one step, a tuple of whole numbers of at least 1, such as (784,) or (1, 28, 28)"
)


def refused(lines: Mapping[str, str], folder: Path) -> None:
    """Each call ends in its line and leaves no file. They run in a process of its own, since tests check all types."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input="\n".join(lines), cwd=folder, capture_output=True, text=True, check=False
    )
    assert dict(zip(lines, done.stdout.splitlines(), strict=False)) == dict(lines), done.stderr
    assert not list(folder.iterdir())


def test_an_input_shape_that_is_none_is_refused(tmp_path: Path) -> None:
    shapes = ("64", "'64'", "(0,)", "(-3,)", "(64.0,)", "(None,)", "((1, 8, 8),)", "(True,)", "()", "(1, '8', 8)")
    lines = {
        f"Learner('24', 'dfa', classes=10, input_shape={shape})": f"input_shape is {shape}. {SHAPE}" for shape in shapes
    }
    lines["Learner(net(), 'dfa', input_shape=64)"] = f"input_shape is 64. {SHAPE}"
    lines["neurorules.build_network('24', 64, 10)"] = f"input_shape is 64. {SHAPE}"
    refused(lines, tmp_path)


def test_numbers_as_text_and_truth_values_are_refused_and_shown_as_they_are(tmp_path: Path) -> None:
    refused(
        {
            "Learner('24', 'dfa', classes='10', input_shape=(4,))": "classes is '10'. Give a finite whole number of at "
            "least 2",
            "Learner('24', 'dfa', classes=True, input_shape=(4,))": "classes is True. Give a whole number of at least "
            "2",
            "Learner(net(), 'dfa', classes='3')": "classes is '3'. Give a finite whole number of at least 2",
            "Learner('24', 'dfa', task='regression', outputs='1', input_shape=(4,))": "outputs is '1'. Give a finite "
            "whole number of at least 1",
            "Learner('24', 'dfa', classes=3, input_shape=(4,), steps='5')": "--steps is '5'. Give a finite whole "
            "number of at least 1 and at most 1000000",
            "Learner('24', 'dfa', classes=3, input_shape=(4,), steps=True)": "--steps is True. Give a whole number of "
            "at least 1 and at most 1000000",
            "compare('dfa', seeds='2', **small)": "--seeds is '2'. Give a finite whole number of at least 1 and at "
            "most 10000",
            "one.fit(pair, batch_size='8')": "batch_size is '8'. Give a finite whole number of at least 1",
        },
        tmp_path,
    )


def test_fit_names_the_argument_that_is_wrong(tmp_path: Path) -> None:
    schedule = "Give a text such as 'cosine', 'constant' or 'steps:at=60-90'"
    refused(
        {
            "one.fit(pair, epochs=1.5)": "epochs is 1.5. Give a whole number of at least 1",
            "one.fit(pair, epochs='3')": "epochs is '3'. Give a finite whole number of at least 1",
            "one.fit(pair, epochs=None)": "epochs is None. Give a finite whole number of at least 1",
            "one.fit(x, y)": "fit takes samples and labels as one pair, and epochs is Tensor. Write fit((x, y), "
            "epochs=5)",
            "one.fit(pair, lr_schedule=None)": f"lr_schedule is None. {schedule}",
            "one.fit(pair, lr_schedule=0.1)": f"lr_schedule is 0.1. {schedule}",
        },
        tmp_path,
    )


def test_paths_flags_and_lists_of_another_kind_are_named(tmp_path: Path) -> None:
    path, names = "Give a path: a text, or a pathlib.Path", "Give names in one text with commas between them, or 'none'"
    needed = "has to have a value. Leave it out for"
    rows = "Give names in a list, or in one text such as 'sigprop,dfa'"
    refused(
        {
            "train(out=3, **small)": f"out is 3. {path}",
            "train(data_dir=3, **small)": f"data_dir is 3. {path}",
            "compare('dfa', 3, **small)": f"out is 3. {path}",
            "load(None)": f"run is None. {path}",
            "one.save(None)": f"path is None. {path}",
            "neurorules.CsvLog(None)": f"path is None. {path}",
            "neurorules.TensorBoardLog(None)": f"folder is None. {path}",
            "neurorules.Recorder(one, b'trace.h5')": f"path is b'trace.h5'. {path}",
            "train(out='/proc/z', **small)": "/proc/z: no such file or directory. A part of that path is missing and "
            "cannot be made: name another place",
            "compare('dfa', '/proc/z', **small)": "/proc/z: no such file or directory. A part of that path is "
            "missing and cannot be made: name another place",
            "train(net=None)": f"train(...), 'net' is None, and {needed} '64-64'",
            "compare('dfa', net=None)": f"compare(...), 'net' is None, and {needed} '64-64'",
            "compare(None)": f"rules is None. {rows}",
            "compare(3)": f"rules is 3. {rows}",
            "compare('dfa', controls=None, **small)": f"controls is None. {names}",
            "compare('dfa', hardware=None, **small)": f"hardware is None. {names}",
            "compare('dfa', rule='dfa', **small)": "rule is 'dfa', and the rows are named in rules. Leave rule out",
            "train(log=3, **small)": "3 is no list of names. Write one text with commas between them, such as 'a,b'",
            "train(resume=True, **small)": "a run to continue lies in its folder, and none is named. Give out, such as "
            "'run', or resume=False",
            "train(out='run', force='no', **small)": "force is 'no'. Give True or False",
            "compare('dfa', resume='False', **small)": "resume is 'False'. Give True or False",
            "one.fit(pair, quiet='no')": "quiet is 'no'. Give True or False",
            "one.load(one.state(), weights_only='no')": "weights_only is 'no'. Give True or False",
            "neurorules.brian2_circuit('dfa', path='torch', net='16')": "path is 'torch', and a circuit of Brian2 runs "
            "in continuous time. Leave path out",
        },
        tmp_path,
    )


def test_a_net_that_torch_jit_has_compiled_is_refused(tmp_path: Path) -> None:
    line = (
        "a RecursiveScriptModule of torch.jit holds compiled code in place of layers. Give the module itself, as it "
        "was before torch.jit.script or torch.jit.trace"
    )
    scripted = "torch.jit.script(nn.Sequential(nn.Linear(4, 3)))"
    lines = {f"Learner({scripted}, 'dfa')": line, f"Learner(nn.Sequential({scripted}), 'dfa')": line}
    refused(lines, tmp_path)


def test_words_about_data_are_neither_ignored_nor_turned_round(tmp_path: Path) -> None:
    flag = "Give True or False"
    refused(
        {
            "train(data=(pair, pair), keys=('a', 'b'))": "keys=('a', 'b') name fields of dicts, and the training data "
            "are a pair (x, y). Leave keys out",
            "one.fit(pair, keys=('a', 'b'))": "keys=('a', 'b') name fields of dicts, and the data are a pair (x, y). "
            "Leave keys out",
            "train(data=(pair, pair), batch_first='False')": f"batch_first is 'False'. {flag}",
            "one.fit(pair, batch_first='no')": f"batch_first is 'no'. {flag}",
            "one.evaluate(pair, batch_first=1)": f"batch_first is 1. {flag}",
            "one.predict(x, batch_first='True')": f"batch_first is 'True'. {flag}",
        },
        tmp_path,
    )
