"""Encoders of images: what drives the first layer, and what is drawn at random."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurorules.contracts.encoder import Encoder
from neurorules.encoders import ENCODERS, open_encoder
from neurorules.encoders._shared import with_statistics
from neurorules.language.errors import UserError

IMAGE_ENCODERS = ["constant", "poisson", "latency", "latency:form=log"]


def some_images(count: int = 6, floats: bool = False) -> np.ndarray:
    """Grey images (N, 1, 5, 4) with black, white and everything between."""
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 5, 4), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = 0, 255
    return (images / 255).astype(np.float32) if floats else images


def drive(text: str, images: np.ndarray, steps: int = 7, seed: int = 0):
    encoder = open_encoder(text, "images").fit(images)
    batch = torch.from_numpy(np.asarray(encoder.prepare(images, steps, None)[np.arange(len(images))]))
    return encoder.encode(batch, steps, torch.Generator().manual_seed(seed))


# --- all of them


@pytest.mark.parametrize("name", ENCODERS.names())
def test_every_encoder_keeps_the_protocol_and_is_frozen(name):
    encoder = open_encoder(name, next(iter(ENCODERS.factory(name).accepts)))
    assert isinstance(encoder, Encoder) and encoder.accepts <= {"images", "events", "sequences"}
    with pytest.raises(AttributeError):
        encoder.statistics = {}
    with pytest.raises(UserError, match="unknown option"):
        ENCODERS.make(f"{name}:statistics=1")  # what is measured is no option


@pytest.mark.parametrize("text", IMAGE_ENCODERS)
def test_drives_have_the_shape_they_promise(text):
    found = drive(text, some_images())
    assert found.values.shape == ((6, 1, 5, 4) if found.constant else (7, 6, 1, 5, 4))
    assert found.values.dtype == torch.float32 and found.constant == (text == "constant")
    assert found.constant or set(found.values.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("text", IMAGE_ENCODERS)
def test_grey_levels_and_the_same_brightness_as_floats_are_encoded_alike(text):
    grey, floats = drive(text, some_images()), drive(text, some_images(floats=True))
    torch.testing.assert_close(grey.values, floats.values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("text", ["constant", "latency", "latency:form=log"])
def test_no_sample_sees_its_batch(text):
    images = some_images()
    encoder = open_encoder(text, "images").fit(images)
    together = encoder.encode(torch.from_numpy(images), 7, torch.Generator())
    alone = encoder.encode(torch.from_numpy(images[3:4]), 7, torch.Generator())
    axis = 0 if together.constant else 1
    assert torch.equal(together.values.narrow(axis, 3, 1), alone.values)


@pytest.mark.parametrize("text", IMAGE_ENCODERS)
def test_an_encoder_comes_back_from_its_text_and_its_stored_statistics(text):
    fitted = open_encoder(text, "images").fit(some_images())
    again = with_statistics(open_encoder(text, "images"), json.loads(json.dumps(dict(fitted.statistics))))
    assert again == fitted


def test_an_encoder_of_the_other_kind_is_refused_and_the_right_ones_named():
    with pytest.raises(UserError, match="takes images, but the data holds events. Write --encode frames"):
        open_encoder("poisson", "events")
    with pytest.raises(UserError, match="Write --encode constant or latency or poisson"):
        open_encoder("frames", "images")


@pytest.mark.parametrize("text", IMAGE_ENCODERS)
def test_samples_that_are_no_images_are_refused(text):
    with pytest.raises(UserError, match="--encode frames"):
        open_encoder(text, "images").prepare(np.zeros((3, 4), np.uint8), 5, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("poisson:max_rate=0", "above 0 and at most 1"),
        ("poisson:max_rate=1.5", "above 0 and at most 1"),
        ("poisson:max_rate=nan", "above 0 and at most 1"),
        ("latency:threshold=0", "above 0 and below 1"),
        ("latency:tau=-1", "above 0"),
        ("latency:form=lin", "Did you mean 'linear'"),
        ("frames:bin_ms=-1", "bin_ms is -1.0. Give a number of at least 0"),
        ("frames:bin_ms=0.0005", "Give 0, or a number of at least 0.001"),
        ("frames:first_ms=inf", "first_ms is inf. Give a finite number"),
    ],
)
def test_options_out_of_range_are_refused(text, words):
    with pytest.raises(UserError, match=words):
        ENCODERS.make(text)


# --- constant


def test_standardised_training_pixels_have_mean_zero_and_deviation_one():
    values = drive("constant", some_images(count=5000)).values
    assert abs(values.mean().item()) < 1e-5 and abs(values.std(correction=0).item() - 1) < 1e-5


def test_statistics_come_from_the_training_samples_alone():
    train, test = some_images(), np.full((2, 1, 5, 4), 255, np.uint8)
    encoder = open_encoder("constant", "images").fit(train)
    pixels = train / 255
    assert encoder.statistics == pytest.approx({"mean": pixels.mean(), "deviation": pixels.std()})
    expected = (1 - pixels.mean()) / pixels.std()
    assert encoder.encode(torch.from_numpy(test), 3, torch.Generator()).values.numpy() == pytest.approx(expected)


def test_pixels_can_be_left_as_they_are():
    images = some_images(floats=True) * 3 - 1
    assert np.array_equal(drive("constant:standardise=false", images).values.numpy(), images)


def test_pixels_that_cannot_be_standardised_are_refused():
    with pytest.raises(UserError, match="all training pixels are 0"):
        open_encoder("constant", "images").fit(np.zeros((3, 1, 2, 2), np.uint8))
    with pytest.raises(UserError, match=r"Call fit"):
        open_encoder("constant", "images").encode(torch.zeros(1, 1, 2, 2), 3, torch.Generator())


# --- poisson


def test_the_same_generator_state_gives_the_same_spikes_and_another_gives_others():
    images = some_images()
    assert torch.equal(drive("poisson", images).values, drive("poisson", images).values)
    assert not torch.equal(drive("poisson", images).values, drive("poisson", images, seed=1).values)


def test_no_global_seed_is_read_or_moved():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = drive("poisson", some_images()).values
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(4)
    assert torch.equal(first, drive("poisson", some_images()).values)


def test_spike_rates_are_the_brightness_times_max_rate():
    images = some_images()
    rate = drive("poisson:max_rate=0.4", images, steps=4000).values.mean(dim=0).numpy()
    assert np.abs(rate - 0.4 * images / 255).max() < 5 * np.sqrt(0.24 / 4000)


def test_black_never_spikes_and_white_always():
    values = drive("poisson", some_images(), steps=500).values
    assert values[:, :, 0, 0, 0].sum() == 0 and values[:, :, 0, 0, 1].all()


@pytest.mark.parametrize("text", ["poisson", "latency"])
def test_pixels_that_are_no_brightness_are_refused(text):
    for images in (some_images(floats=True) * 16, some_images(floats=True) - 0.5):
        with pytest.raises(UserError, match=r"takes pixels in 0\.\.1"):
            open_encoder(text, "images").fit(images)


# --- latency


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("steps", [2, 10, 100])
def test_latency_is_that_of_snntorch(linear, steps):
    from snntorch import spikegen

    images = torch.from_numpy(some_images(count=50, floats=True))
    theirs = spikegen.latency(images, num_steps=steps, threshold=0.03, clip=True, normalize=True, linear=linear)
    ours = drive(f"latency:threshold=0.03:form={'linear' if linear else 'log'}", images.numpy(), steps).values
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("linear", [True, False])
def test_latency_with_a_time_constant_is_that_of_snntorch_within_its_steps(linear):
    from snntorch import spikegen

    images = torch.from_numpy(some_images(count=50, floats=True))
    theirs = spikegen.latency(images, num_steps=90, threshold=0.03, clip=True, tau=5.0, linear=linear)
    form = "linear" if linear else "log"
    ours = drive(f"latency:threshold=0.03:tau=5:normalise=false:form={form}", images.numpy(), 90).values
    assert torch.equal(ours, theirs)


@given(
    pixels=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=8),
    steps=st.integers(1, 30),
    form=st.sampled_from(["linear", "log"]),
    normalise=st.booleans(),
)
def test_a_pixel_spikes_once_or_below_the_threshold_never_and_a_brighter_one_no_later(pixels, steps, form, normalise):
    images = np.array(sorted(pixels), np.float32).reshape(1, 1, 1, -1)
    text = f"latency:threshold=0.1:tau=4:form={form}:normalise={str(normalise).lower()}"
    values = drive(text, images, steps).values[:, 0, 0, 0]
    lit = torch.from_numpy(images.ravel()) >= 0.1
    assert torch.equal(values.sum(dim=0), lit.float())
    times = values.argmax(dim=0)[lit]
    assert (times.diff() <= 0).all()


def test_the_brightest_pixel_spikes_first_and_the_dimmest_last():
    images = np.array([0.1, 1.0], np.float32).reshape(1, 1, 1, 2)
    for form in ("linear:threshold=0.01", "log:threshold=0.1"):
        values = drive(f"latency:form={form}", images, 11).values[:, 0, 0, 0]
        assert values.argmax(dim=0).tolist() == ([9, 0] if form.startswith("linear") else [10, 0])
