"""A server process for audits that answers each question in a copy of itself, so that answers cannot affect each other.

Loading torch takes longer than most answers, so one process loads it for all questions.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from typing import Any, NamedTuple, TextIO

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Settings for a single thread: a process with threads cannot be copied safely, and sums may depend on their number."""
COPIES = sys.platform != "win32"
"""Whether the system can copy (fork) a process. If it cannot, the process answers one question and ends."""


class Printed(NamedTuple):
    """The output of a function that ran in a copy of the process.

    Args:
        whole: whether the function finished.
        out: its standard output.
        err: its standard error.
    """

    whole: bool
    out: str
    err: str


class Answering:
    """The handle of the server process in the process that asks questions."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from neurorules.audit.answering import serve; serve()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    def ask(self, module: str, question: str) -> Printed:
        """Run the function `answer()` of a module, with this process's working folder, environment and module path.

        Args:
            module: dotted name of the module.
            question: the text that the function reads from its standard input.

        Returns:
            Its output, and whether it finished.
        """
        here = {"folder": os.getcwd(), "environment": {**os.environ, **ONE_THREAD}, "path": sys.path}
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"module": module, "question": question, **here}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        if line:
            return Printed(*json.loads(line))
        self.process.wait()
        self.errors.seek(0)
        return Printed(False, "", self.errors.read())

    @property
    def ended(self) -> bool:
        """Whether the process has ended or cannot answer more questions."""
        return self.process.poll() is not None

    def close(self) -> None:
        """End the process, even if it is busy."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def serve() -> None:
    """The main loop of the server process: answer questions until the input ends."""
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # output that is printed here goes to stderr
    for line in questions:
        request = json.loads(line)
        function = importlib.import_module(request["module"])
        print(json.dumps(_answered(function, request)), file=answers, flush=True)
        if not COPIES:
            return


def _answered(module: Any, request: dict[str, Any]) -> Printed:
    """Answer one question in a copy of this process."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork() if COPIES else 0
        if child == 0:
            whole = _answer(module, request, out, err)
            if COPIES:
                os._exit(0 if whole else 1)
        else:
            whole = os.waitpid(child, 0)[1] == 0
        out.seek(0)
        err.seek(0)
        return Printed(whole, out.read(), err.read())


def _answer(module: Any, request: dict[str, Any], out: TextIO, err: TextIO) -> bool:
    """In the copy: set the working folder, the environment and the module path of the asking process, and answer."""
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    sys.stdin, sys.path[:] = io.StringIO(request["question"]), request["path"]
    os.environ.clear()
    os.environ.update(request["environment"])
    try:
        os.chdir(request["folder"])
        module.answer()
        whole = True
    except BaseException:
        traceback.print_exc()
        whole = False
    sys.stdout.flush()
    sys.stderr.flush()
    return whole
