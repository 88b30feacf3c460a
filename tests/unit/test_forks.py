"""A process that forks after learning on two threads goes on learning in both, and says what it cannot do."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: forking this one would take along what other tests have opened.
PROGRAM = """
import multiprocessing, sys, warnings
warnings.simplefilter("ignore")
import torch
from neurorules import Learner
from neurorules.language.errors import UserError
from neurorules.torch_path.process.forks import check_forked

def learn(learner, seed):
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(4, 32, 300, generator=generator) < 0.2).float()
    return learner.step(spikes, torch.arange(32) % 5)["loss"]

def child(learner, answers):
    found = learn(learner, 1)
    found = learn(Learner("300", input_shape=(300,), classes=5), 1) and found
    a = torch.randn(400, 400)
    (a @ a).exp().sum()
    try:
        check_forked(2)
    except UserError as error:
        answers.put((torch.get_num_threads(), found, str(error)))

torch.set_num_threads(2)
learner = Learner("300", rule="sigprop", input_shape=(300,), classes=5)
learn(learner, 0)
check_forked(2)
context = multiprocessing.get_context("fork")
answers = context.Queue()
process = context.Process(target=child, args=(learner, answers))
process.start()
process.join(20)
if process.exitcode is None:
    process.kill()
    sys.exit("the child waits for ever")
threads, loss, refusal = answers.get(timeout=5)
here = learn(learner, 1)
assert (threads, torch.get_num_threads()) == (1, 2), threads
assert abs(loss - here) < 1e-4, (loss, here)
assert "forked after learning on several" in refusal and "spawn" in refusal
"""


def test_a_process_forked_after_learning_on_two_threads_learns_on_one() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
