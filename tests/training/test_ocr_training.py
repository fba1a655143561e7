"""The recipe of the reader: patches of a seed, learning, and a file that reads as the network does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plates import alphabet
from training.ocr import dataset
from training.ocr.dataset import NOWHERE, REGIONS, Recipe, Set
from training.ocr.measure import expected_error, score


def one_hot(texts: list[str], sure: float) -> np.ndarray:
    codes = alphabet.encode(texts)
    shares = np.full((len(texts), alphabet.SLOTS, 37), (1 - sure) / 36)
    np.put_along_axis(shares, codes[:, :, None].astype(int), sure, axis=2)
    return shares


def test_a_score_counts_texts_and_characters_in_use() -> None:
    read = ["1ABC123", "1ABC128"]
    got = score(alphabet.encode(read), one_hot(read, 0.9), alphabet.encode(["1ABC123", "1ABC123"]))
    assert got.exact == 0.5
    assert got.characters == pytest.approx(13 / 14)
    assert got.calibration == pytest.approx(13 / 14 - 0.9)


def test_claims_that_come_true_as_often_as_they_say_are_calibrated() -> None:
    claimed = np.repeat([0.75, 0.25], 100)
    right = np.concatenate([np.arange(100) < 75, np.arange(100) < 25])
    assert expected_error(claimed, right) == pytest.approx(0.0)
    assert expected_error(claimed, ~right) == pytest.approx(0.5)
    assert expected_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def _rendered(recipe: Recipe, folder: Path) -> Set:
    """A set, of which nothing is left to render by more processes."""
    for number in dataset._numbers(recipe):
        dataset._render_shard((recipe, number, dataset._shard(recipe, number, folder)))
    return dataset.render([recipe], folder, 1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Set:
    """A shard of few patches."""
    recipe = Recipe(5, 60, empty=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "SHARD", 30)
        one, other = (_rendered(recipe, tmp_path_factory.mktemp("patches")) for _ in range(2))
    np.testing.assert_array_equal(one.patches, other.patches)
    np.testing.assert_array_equal(one.codes, other.codes)
    return one


def test_a_shard_is_of_its_seed_and_says_what_is_on_its_patches(small: Set) -> None:
    assert small.patches.shape == (60, 64, 256, 3)
    empty = small.regions == NOWHERE
    assert empty.sum() == 2
    assert not small.codes[empty].any()
    assert small.codes[~empty].any(axis=1).all()
    assert small.regions[~empty].max() < len(REGIONS)


def test_a_network_learns_and_its_file_says_the_same(small: Set, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="training needs torch: pip install 'kruispunt[train]'")
    pytest.importorskip("onnx", reason="training needs onnx: pip install 'kruispunt[train]'")
    from pipeline.ingest.ocr import Reader
    from training.ocr import train as training
    from training.ocr.__main__ import describe
    from training.ocr.export import configuration, export, fit_temperatures, logits, quantise
    from training.ocr.network import Network

    threads = torch.get_num_threads()
    # Threads that wait for each other by spinning are slow where other processes run.
    torch.set_num_threads(1)
    start = Network(len(REGIONS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH", 10)
        network = training.train(small, training.Schedule(passes=5), start)
    torch.set_num_threads(threads)

    def wrongness(each: Network) -> float:
        characters, _ = logits(each, small.patches)
        truth = torch.from_numpy(small.codes.astype(np.int64))
        return float(torch.nn.functional.cross_entropy(characters.flatten(0, 1), truth.flatten()))

    assert wrongness(network) < wrongness(start) - 0.3
    for share, same in ((0.0, network), (1.0, start)):
        np.testing.assert_array_equal(
            *(each.slot.detach() for each in (training.between(network, start, share), same))
        )
    temperatures = fit_temperatures(network, small)
    export(network, tmp_path / "small.onnx", temperatures)
    (tmp_path / "small.yaml").write_text(configuration())
    characters, _ = logits(network, small.patches)
    expected = (characters / temperatures[0]).softmax(dim=2).numpy()
    reader = Reader(tmp_path / "small.onnx")
    got = reader._first.model.run(["plate"], {"input": small.patches})[0]
    np.testing.assert_allclose(got, expected, atol=2e-3)
    size = (tmp_path / "small.onnx").stat().st_size
    quantise(tmp_path / "small.onnx", small.patches)
    assert (tmp_path / "small.onnx").stat().st_size < 0.65 * size
    again = Reader(tmp_path / "small.onnx")._first.model.run(["plate"], {"input": small.patches})[0]
    assert np.abs(again - expected).mean() < 0.01
    assert "exact 0.0" in describe(Reader(tmp_path / "small.onnx"), "small", _with_plates(small))


def test_a_small_network_learns_from_what_another_says_and_reads_bytes(small: Set, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="training needs torch: pip install 'kruispunt[train]'")
    pytest.importorskip("onnx", reason="training needs onnx: pip install 'kruispunt[train]'")
    from pipeline.ingest.ocr import Reader
    from training.ocr import train as training
    from training.ocr.export import configuration, export, logits, quantise
    from training.ocr.network import CLASSES, SMALL, Network

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = Network(len(REGIONS), SMALL)
    # One that always says B, whatever the truth is.
    said = np.full((len(small), alphabet.SLOTS, CLASSES), 0.1 / (CLASSES - 1), np.float16)
    said[:, :, 12] = 0.9
    schedule = training.Schedule(passes=5, from_lesson=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH", 10)
        alone = training.train(small, schedule, start)
        taught = training.train(small, schedule, start, lesson=training.Lesson(said))
    torch.set_num_threads(threads)
    chance = [float(logits(each, small.patches)[0].softmax(dim=2)[:, :, 12].mean()) for each in (alone, taught)]
    assert chance[1] > 3 * chance[0]
    export(alone, tmp_path / "quick.onnx", (1.0, 1.0))
    (tmp_path / "quick.yaml").write_text(configuration())
    expected = logits(alone, small.patches)[0].softmax(dim=2).numpy()
    for exactly, within in ((True, 2e-3), (False, 0.1)):
        if not exactly:
            quantise(tmp_path / "quick.onnx", small.patches)
        got = Reader(tmp_path / "quick.onnx")._first.model.run(["plate"], {"input": small.patches})[0]
        np.testing.assert_allclose(got, expected, atol=within)


def test_a_deepened_network_answers_the_same_until_it_learns(small: Set) -> None:
    torch = pytest.importorskip("torch", reason="training needs torch: pip install 'kruispunt[train]'")
    from training.ocr.export import logits
    from training.ocr.network import DEEP, Network, deepened

    torch.manual_seed(3)
    usual = Network(len(REGIONS))
    deep = deepened(usual)
    for before, after in zip(logits(usual, small.patches[:8]), logits(deep, small.patches[:8]), strict=True):
        np.testing.assert_allclose(before.numpy(), after.numpy(), atol=1e-5)
    # Its weights fit the shape by which it is made.
    Network(len(REGIONS), DEEP).load_state_dict(deep.state_dict())
    assert sum(each.numel() for each in deep.parameters()) > sum(each.numel() for each in usual.parameters())


def test_what_is_read_unsurely_is_drawn_oftener(small: Set) -> None:
    pytest.importorskip("torch", reason="training needs torch: pip install 'kruispunt[train]'")
    from training.ocr.train import Lesson, _drawn

    data = Set(small.patches[:5], small.codes[:5], small.regions[:5])
    sure = [0.9999, 0.97, 0.9999, 0.4, 0.9999]
    texts = alphabet.decode(data.codes)
    said = np.stack([one_hot([text], each)[0] for text, each in zip(texts, sure, strict=True)])
    said[2] = one_hot(["WRONG12"], 0.9999)[0]
    weights = Lesson(said.astype(np.float16)).weights(data, np.arange(5) == 4)
    assert weights.tolist() == [1.0, 3.0, 4.0, 0.5, 1.6]
    drawn = _drawn(5, weights, np.random.default_rng(1))
    counts = np.bincount(np.concatenate([next(drawn) for _ in range(300)]), minlength=5)
    np.testing.assert_allclose(counts / counts.sum(), weights / weights.sum(), atol=0.02)
    once = _drawn(640, None, np.random.default_rng(1))
    assert sorted(np.concatenate([next(once) for _ in range(10)])) == list(range(640))
    assert next(_drawn(3, None, np.random.default_rng(1))).tolist() == [0, 1, 2]


def _with_plates(data: Set) -> Set:
    kept = data.regions != NOWHERE
    return Set(data.patches[kept], data.codes[kept], data.regions[kept])


def test_a_network_is_taken_up_again_from_its_file_and_learns_on(small: Set, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="training needs torch: pip install 'kruispunt[train]'")
    pytest.importorskip("onnx", reason="training needs onnx: pip install 'kruispunt[train]'")
    from training.ocr import train as training
    from training.ocr.export import export, logits, quantise
    from training.ocr.network import SMALL, USUAL, Network
    from training.ocr.resume import resumed

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    file = tmp_path / "network.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH", 10)
        for shape in (USUAL, SMALL):
            network = training.train(small, training.Schedule(passes=3), Network(len(REGIONS), shape))
            export(network, file, (0.8, 1.1))
            for exactly, within in ((True, 1e-3), (False, 0.15)):
                if not exactly:
                    quantise(file, small.patches)
                again = resumed(file, shape, small.patches)
                pairs = zip(logits(again, small.patches), logits(network, small.patches), strict=True)
                for said, expected in pairs:
                    assert float((said - expected).abs().mean()) < within * float(expected.std())
        # Its batch norms have to bear the statistics of batches again.
        on = training.train(small, training.Schedule(passes=1, rate=1e-5), again)
    torch.set_num_threads(threads)
    assert float((logits(on, small.patches)[0] - logits(again, small.patches)[0]).abs().mean()) < 0.3
    with pytest.raises(ValueError, match=r"network\.onnx is of another shape"):
        resumed(file, USUAL, small.patches)
    with pytest.raises(ValueError, match="3 patches say too little"):
        resumed(file, SMALL, small.patches[:3])


def test_a_whole_training_wants_all_fonts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="training needs torch: pip install 'kruispunt[train]'")
    pytest.importorskip("onnx", reason="training needs onnx: pip install 'kruispunt[train]'")
    from training.ocr import __main__ as recipe

    monkeypatch.setattr(recipe, "lacking_fonts", lambda: ["Lato-[BRM]*.ttf"])
    monkeypatch.setattr(
        "sys.argv", ["training.ocr", "--cache", str(tmp_path), "--out", str(tmp_path / "ocr.onnx")]
    )
    with pytest.raises(SystemExit):
        recipe.main()
    assert "without Lato-[BRM]*.ttf" in (told := capsys.readouterr().err)
    assert "make font-packages" in told
    assert not list(tmp_path.iterdir())
