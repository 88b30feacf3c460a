"""Options of a thing that an option of another thing names: `lif:surrogate=triangle:surrogate.width=0.5`."""

from __future__ import annotations

import pytest

from neurorules.compare.sweep.file import read_sweep
from neurorules.compare.tuning.settings import changed, option_target
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.language.options import parse_named, write_named
from neurorules.network.description import text_of_neuron
from neurorules.neurons import NEURONS
from neurorules.surrogates import Atan, FastSigmoid, Triangle


@pytest.mark.parametrize("neuron", ["if", "lif", "cuba_lif", "alif", "adex"])
def test_the_surrogate_of_a_neuron_takes_its_own_options(neuron):
    text = f"{neuron}:surrogate=triangle:surrogate.width=0.5:surrogate.height=0.4"
    assert NEURONS.make(text).surrogate == Triangle(height=0.4, width=0.5)
    assert NEURONS.make(f"{neuron}:surrogate.k=25").surrogate == FastSigmoid(25.0)  # of the default surrogate
    assert NEURONS.make(f"{neuron}:surrogate.alpha=3:surrogate=atan").surrogate == Atan(3.0)  # in either order


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lif:surrogate=atan:surrogate.alfa=3", ["surrogate 'atan'", "'alfa'", "alpha"]),
        ("lif:surrogate=atan:surrogate.alpha=-1", ["alpha is -1", "above 0"]),
        ("lif:surrogate=atan:surrogate.alpha=x", ["'x', which is not a number"]),
        ("lif:surrogat.alpha=3", ["'surrogat.alpha'", "surrogate"]),
        ("lif:beta.k=3", ["'beta.k'"]),
        ("lif:surrogate=atan:alpha=3", ["'alpha'"]),
    ],
)
def test_a_wrong_option_is_named(text, words):
    with pytest.raises(UserError) as error:
        NEURONS.make(text)
    assert all(word in str(error.value) for word in words), error.value


def test_a_text_is_read_back_as_it_was_written():
    text = write_named("lif", {"beta": 0.5, "surrogate": "triangle:height=0.4:width=0.5"})
    assert parse_named(text)[1] == {
        "beta": "0.5", "surrogate": "triangle", "surrogate.height": "0.4", "surrogate.width": "0.5",
    }  # fmt: skip
    assert NEURONS.make(text).surrogate == Triangle(height=0.4, width=0.5)


def test_the_text_of_a_neuron_keeps_the_options_of_its_surrogate():
    neuron = NEURONS.make("lif:surrogate.k=25")
    assert NEURONS.make(text_of_neuron(neuron)) == neuron


def test_a_search_varies_the_option_of_a_surrogate():
    config = TrainConfig(rule="bptt", data="digits", net="8", neuron="lif:beta=0.8")
    target = option_target(config, "neuron", "surrogate.k")
    assert (target.name, target.read("5")) == ("neuron.surrogate.k", 5.0)
    assert changed(config, {target.name: 5}).neuron == "lif:beta=0.8:surrogate.k=5"


def test_a_file_of_a_sweep_names_the_option_of_a_surrogate_by_two_full_stops(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        '[train]\nrule = "bptt"\ndata = "digits"\nneuron = "lif:surrogate=atan"\n'
        "[space]\nneuron.surrogate.alpha = [2, 4]\nneuron.beta = [0.5, 0.9]\n"
    )
    space = read_sweep(file).space
    assert {name: dimension.words for name, dimension in space.items()} == {
        "neuron.surrogate.alpha": (2.0, 4.0), "neuron.beta": (0.5, 0.9),
    }  # fmt: skip
