"""The localiser's networks: their sizes fit what runs them, and a model that was trained can be run."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from pipeline.ingest.localise import PIECE_HEIGHT_PX, PIECE_WIDTH_PX, STRIDE_PX, Localiser
from training.localiser.pool import PLACES, Pool
from training.localiser.samples import HEIGHT_PX, MAX_PLATES, NONE, PLATE, WIDTH_PX, draw_sample

torch = pytest.importorskip("torch", reason="torch is for training alone: pip install 'kruispunt[train]'")
pytest.importorskip("onnx", reason="onnx is for training alone: pip install 'kruispunt[train]'")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def pool() -> Pool:
    samples = [draw_sample([], np.random.default_rng([8, number])) for number in range(16)]
    return Pool(*(np.stack([getattr(each, name) for each in samples]) for name in ("image", "corners", "states")))


def test_cells_and_answers_have_the_sizes_that_the_localiser_expects() -> None:
    from training.localiser.networks import Finder, Refiner

    with torch.no_grad():
        cells = Finder().eval()(torch.zeros(2, 3, 96, 160))
        answers = Refiner().eval()(torch.zeros(5, 3, PIECE_HEIGHT_PX, PIECE_WIDTH_PX))
    assert tuple(cells.shape) == (2, 9, 96 // STRIDE_PX, 160 // STRIDE_PX)
    assert tuple(answers.shape) == (5, 9)


@pytest.mark.parametrize("name", ["finder", "refiner"])
def test_training_repeats_itself(name: str, pool: Pool) -> None:
    from training.localiser.train import Recipe, train

    recipe = Recipe(name, epochs=2, batch=8, learning_rate=1e-3, seed=3)
    one, same = (train(recipe, [pool]) for _ in range(2))
    for left, right in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
        assert torch.equal(left, right)


def test_samples_that_are_mirrored_and_turned_keep_their_plates(tmp_path: Path) -> None:
    from training.localiser.train import batch_of

    image = np.zeros((1, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    image[0, 100:130, 120:210] = 255
    corners = np.zeros((1, MAX_PLATES, 4, 2), np.float32)
    corners[0, 0] = [[120, 100], [210, 100], [210, 130], [120, 130]]
    states = np.array([[PLATE] + [NONE] * (MAX_PLATES - 1)], np.uint8)
    places = np.full((1, PLACES, 4, 2), np.nan, np.float32)
    places[0, 0] = corners[0, 0]
    rows = np.zeros((60, 2), np.int64)
    images, turned, seen, named = batch_of([Pool(image, corners, states, places)], rows, np.random.default_rng(9))
    assert (seen[:, 0] == PLATE).all()
    np.testing.assert_allclose(named[:, 0].min(axis=1), turned[:, 0].min(axis=1), atol=1e-3)
    slopes = np.arctan2(*(turned[:, 0, 1] - turned[:, 0, 0]).T[::-1])
    assert slopes.min() < -0.3
    assert slopes.max() > 0.3
    for each, quad in zip(images, turned[:, 0], strict=True):
        mask = np.zeros(each.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, quad.round().astype(np.int32), 1)
        assert each[mask > 0].mean() > 235
        assert (each[mask == 0] > 200).mean() < 0.01


def test_exported_networks_run_in_the_localiser(tmp_path: Path) -> None:
    from training.localiser.export import export
    from training.localiser.networks import Finder, Refiner

    for network, file in ((Finder(), "finder.onnx"), (Refiner(), "refiner.onnx")):
        export(network, tmp_path / file)
    localiser = Localiser(1, tmp_path / "finder.onnx", tmp_path / "refiner.onnx")
    assert len(localiser.find([np.zeros((90, 200, 3), np.uint8)])) == 1


@pytest.mark.parametrize("name", ["finder", "refiner"])
def test_networks_of_integers_answer_nearly_as_exact_ones(name: str, pool: Pool, tmp_path: Path) -> None:
    from training.localiser.export import export
    from training.localiser.train import Recipe, examples, train

    network = train(Recipe(name, epochs=3, batch=8, learning_rate=1e-3, seed=3), [pool])
    inputs = examples(name, [pool], np.random.default_rng(1))
    export(network, tmp_path / "exact.onnx")
    export(network, tmp_path / "integers.onnx", inputs)
    sessions = [onnxruntime.InferenceSession(str(tmp_path / f"{kind}.onnx")) for kind in ("exact", "integers")]
    exact, near = (session.run(None, {session.get_inputs()[0].name: inputs})[0] for session in sessions)
    assert (tmp_path / "integers.onnx").stat().st_size < 0.5 * (tmp_path / "exact.onnx").stat().st_size
    assert 0 < np.abs(exact - near).mean() < 0.1 * exact.std()


def test_a_network_that_takes_blocks_of_pixels_answers_the_same(tmp_path: Path) -> None:
    from training import integers
    from training.localiser.export import export
    from training.localiser.networks import MEAN, SPREAD, Finder

    frames = np.random.default_rng(2).integers(0, 256, (4, 64, 160, 3), np.uint8)
    torch.manual_seed(4)
    export(Finder(), tmp_path / "finder.onnx")
    integers.quantise(tmp_path / "finder.onnx", [frames], lambda node: "head.1" in node.name, MEAN, SPREAD)
    before = onnxruntime.InferenceSession(str(tmp_path / "finder.onnx")).run(None, {"frames": frames})[0]
    integers.take_blocks(tmp_path / "finder.onnx")
    after = onnxruntime.InferenceSession(str(tmp_path / "finder.onnx"))
    np.testing.assert_array_equal(after.run(None, {"frames": frames})[0], before)
    assert after.run(None, {"frames": frames[:1, :, :96]})[0].shape == (1, 9, 64 // STRIDE_PX, 96 // STRIDE_PX)
