"""Plate patches to a ReadBatch with per-character probabilities and the country, a batch at once.

The model is an ONNX file in fast-plate-ocr's format beside its plate configuration: ours, which comes with the
package (`models/ocr.onnx`), or another by the setting ``LIK_OCR_MODEL``. `LicensePlateRecognizer` loads it; its
session is asked directly, for the whole tensor of probabilities.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hotlists.columns import pack_country
from pipeline.batch import ReadBatch
from pipeline.errors import ConfigurationError
from pipeline.ingest.decoding import likeliest
from plates import alphabet

if TYPE_CHECKING:
    from fast_plate_ocr import LicensePlateRecognizer

PATCH_HEIGHT_PX: Final = 64
PATCH_WIDTH_PX: Final = 256
MODEL: Final = Path(__file__).parent / "models" / "ocr.onnx"
SECOND: Final = "_second"
"""What the file of a second model ends with, beside a model that has one: `ocr_second.onnx`."""
QUICK: Final = "_quick"
"""What the file of a quick one ends with: `ocr_quick.onnx`."""
THREADS: Final = 2
SURE_OF_COUNTRY: Final = 0.99
"""A country that is less likely than this is left unknown: a wrong one would lose a hit. Half of what the models
learned from is Belgian, and so they take a plate from abroad for a Belgian one rather than the other way round."""

SURE_OF_TEXT: Final = 0.9
"""A plate that is read with less confidence is looked at once more, until it is read surely or all looks are
spent."""
HOPELESS: Final = 0.01
"""One that the first look reads with less than this is looked at no more. Of rendered plates none of those is read
right after any number of looks; on frames most of them are no plates."""
HOPELESS_AT_A_GLANCE: Final = 1e-4
"""The same for a quick model, which gives up sooner."""
SHIFT_PX: Final = 3
"""How far a look is shifted to one side."""
LOOKS: Final = ((False, 0), (True, -SHIFT_PX), (False, SHIFT_PX))
"""Look after look, whether the second model is asked, and how far the patch is shifted. Models that were trained
apart are seldom wrong in the same way."""

_CLASSES: Final = len(alphabet.CHARACTERS) + 1
_LEAST: Final = np.float32(1e-9)
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)

Floats = NDArray[np.float32]


class Reader:
    """Reads patches.

    Parameters
    ----------
    model
        Empty: the one that comes with the package, and nothing is downloaded. Else the path of an ONNX file in
        fast-plate-ocr's format (its plate configuration beside it: the same name with ``.yaml`` or
        ``_plate_config.yaml``), or the name of one of fast-plate-ocr's published models, which is taken from
        its cache, or fetched once. Beside a path there may be others of the same configuration:
        ``NAME_quick.onnx`` is asked first, and the model itself only about what that is not sure of;
        ``NAME_second.onnx`` about what is then still unsure.
    threads
        How many cores one call may use.

    Raises
    ------
    ConfigurationError
        The model cannot be loaded, or cannot be fetched, or is none that reads plates.
    """

    def __init__(self, model: str | Path = "", threads: int = THREADS) -> None:
        self._first = _load(str(model or MODEL))
        self._second = _beside(Path(model or MODEL), SECOND) or self._first
        self._quick = _beside(Path(model or MODEL), QUICK)
        # A thread for each part of a batch shares less, and waits less, than threads within each convolution.
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
        config = self._first.config
        self._size = (config.img_height, config.img_width)
        self._grey = config.image_color_mode == "grayscale"
        self._to_codes = _code_matrix(config.alphabet, config.pad_char)
        self._outputs = [self._first.plate_output_name]
        self._countries = np.zeros(0, np.uint16)
        if self._first.has_region_head:
            self._outputs.append(self._first.region_output_name)
            self._countries = np.array([pack_country(each) for each in config.plate_regions or []], np.uint16)

    def read(self, patches: NDArray[np.uint8], captured_at_ns: NDArray[np.int64]) -> ReadBatch:
        """Read a batch of patches at once, each core a part, and once more all that the model is not sure of.

        Parameters
        ----------
        patches
            RGB uint8 ``(N, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)``: each a plate from edge to edge, or with a
            margin, stretched to the patch whatever its proportions are; plates of two lines too.
        captured_at_ns
            int64 ``(N,)``.

        Returns
        -------
        A batch of N reads with probabilities. One without a character, or with more than a plate can have, has
        no codes, no probabilities and confidence 0.
        """
        if len(patches) == 0:
            nothing = np.zeros((0, alphabet.SLOTS, _CLASSES), np.float32)
            return ReadBatch.of(
                np.zeros((0, alphabet.SLOTS), np.uint8),
                captured_at_ns,
                confidence=np.zeros(0, np.float32),
                probabilities=nothing,
            )
        shares, regions = self._glance(patches)
        probabilities, fits = self._slots(shares)
        found = (probabilities.argmax(axis=2) != alphabet.PAD).any(axis=1) & fits
        country = np.zeros(len(patches), np.uint16)
        if len(self._countries):
            sure = found & (regions.max(axis=1) >= SURE_OF_COUNTRY)
            country = np.where(sure, self._countries[regions.argmax(axis=1)], 0).astype(np.uint16)
        codes = likeliest(probabilities, country)
        chosen = np.take_along_axis(probabilities, codes[:, :, None].astype(np.int64), axis=2)[:, :, 0]
        confidence = np.where(found, chosen.prod(axis=1), 0.0).astype(np.float32)
        codes[~found] = alphabet.PAD
        probabilities[~found] = 0.0
        return ReadBatch.of(
            codes, captured_at_ns, country=country, confidence=confidence, probabilities=probabilities
        )

    def _glance(self, patches: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Ask the quick model, where there is one, and look well at what it is unsure of: shares and regions."""
        if self._quick is None:
            return self._look(patches)
        shares, regions = self._run(self._quick, patches)
        rows = _unsure(shares, HOPELESS_AT_A_GLANCE)
        if len(rows):
            # What it was unsure of does not count: it errs oftener than those who look after it.
            shares[rows], regions[rows] = self._look(patches[rows])
        return shares, regions

    def _look(self, patches: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Ask the first model, and about the unsure ones look after look: of each patch its shares and regions.

        The looks are as one by their geometric mean, so that a character on which they differ is less sure.
        """
        _, *others = LOOKS
        shares, regions = self._run(self._first, patches)
        rows = _unsure(shares, HOPELESS)
        said, placed = _logs(shares[rows]), _logs(regions[rows])
        for count, (by_second, shift_px) in enumerate(others, start=2):
            if len(rows) == 0:
                break
            model = self._second if by_second else self._first
            again, where = self._run(model, _shifted(patches[rows], shift_px))
            said, placed = said + _logs(again), placed + _logs(where)
            shares[rows], regions[rows] = _agreed(said, count), _agreed(placed, count)
            still = _unsure(shares[rows])
            rows, said, placed = rows[still], said[still], placed[still]
        return shares, regions

    def _run(self, one: LicensePlateRecognizer, patches: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Ask one model: shares ``(N, slots, characters)``, and regions ``(N, R)``, R 0 for one without any."""
        # Even one patch takes a model far longer than it takes to hand it to another thread.
        count = min(self._threads, len(patches))
        parts = np.array_split(self._fitted(patches), count)
        ask = partial(self._ask, one)
        outputs = list(self._pool.map(ask, parts) if count > 1 else map(ask, parts))
        shares: Floats = np.concatenate([each[0] for each in outputs]).reshape(
            len(patches), -1, len(self._to_codes)
        )
        if len(self._countries) == 0:
            return shares, np.zeros((len(patches), 0), np.float32)
        return shares, np.concatenate([each[1] for each in outputs])

    def _ask(self, one: LicensePlateRecognizer, patches: NDArray[np.uint8]) -> list[Floats]:
        outputs: list[Floats] = one.model.run(self._outputs, {"input": patches})
        return outputs

    def _fitted(self, patches: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The patches as the model takes them; ours takes them as they are."""
        if self._grey:
            patches = np.rint(patches @ _LUMA).astype(np.uint8)[..., None]
        if patches.shape[1:3] == self._size:
            return np.ascontiguousarray(patches)
        rows, columns = (_resampling(PATCH_HEIGHT_PX, self._size[0]), _resampling(PATCH_WIDTH_PX, self._size[1]))
        narrowed = np.einsum("nhwc,vw->nhvc", patches.astype(np.float32), columns, optimize=True)
        resized = np.einsum("nhvc,uh->nuvc", narrowed, rows, optimize=True)
        return np.ascontiguousarray(np.rint(resized).clip(0, 255).astype(np.uint8))

    def _slots(self, output: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """The model's output in the codes of `plates.alphabet`, without blanks between characters.

        Returns
        -------
        float32 ``(N, SLOTS, 37)``, each slot summing to 1, and bool ``(N,)``: not more characters than a plate
        can have.
        """
        mapped = output @ self._to_codes
        mapped /= np.maximum(mapped.sum(axis=2, keepdims=True), 1e-9)
        short = alphabet.SLOTS - mapped.shape[1]
        if short > 0:
            none = np.zeros((len(mapped), short, _CLASSES), np.float32)
            none[:, :, alphabet.PAD] = 1.0
            mapped = np.concatenate([mapped, none], axis=1)
        blank = mapped.argmax(axis=2) == alphabet.PAD
        order = np.argsort(blank, axis=1, kind="stable")
        ordered: Floats = np.take_along_axis(mapped, order[:, :, None], axis=1)
        fits = (~blank).sum(axis=1) <= alphabet.SLOTS
        return np.ascontiguousarray(ordered[:, : alphabet.SLOTS]), fits


def _load(model: str) -> LicensePlateRecognizer:
    # This takes a second to import; nobody who does not read plates should wait for it.
    from fast_plate_ocr.inference.hub import AVAILABLE_ONNX_MODELS, download_model

    if model in AVAILABLE_ONNX_MODELS:
        try:
            path, config = download_model(model)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"LIK_OCR_MODEL: {model} is not in fast-plate-ocr's cache and cannot be fetched ({error}); "
                "leave the setting empty for the model that comes with the package, or give the path of an ONNX "
                "file"
            ) from error
    else:
        path = Path(model)
        config = _configuration_of(path)
    return _session(path, config)


def _beside(first: Path, ending: str) -> LicensePlateRecognizer | None:
    """The model beside a first one, of the same configuration, whose file's name ends so, if there is one."""
    path = first.with_stem(f"{first.stem}{ending}")
    return _session(path, _configuration_of(first)) if path.is_file() else None


def _session(path: Path, config: Path) -> LicensePlateRecognizer:
    import onnxruntime
    from fast_plate_ocr import LicensePlateRecognizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        loaded = LicensePlateRecognizer(
            onnx_model_path=path, plate_config_path=config, device="cpu", sess_options=options
        )
    except Exception as error:
        # ONNX Runtime, YAML and the configuration each raise errors of their own, and share no base but this.
        raise ConfigurationError(f"LIK_OCR_MODEL: {path} cannot be loaded with {config}: {error}") from error
    return loaded


def _configuration_of(path: Path) -> Path:
    beside = (path.with_suffix(".yaml"), path.with_name(f"{path.stem}_plate_config.yaml"))
    config = next((each for each in beside if each.is_file()), None)
    if not path.is_file() or config is None:
        raise ConfigurationError(
            f"LIK_OCR_MODEL: {path} is no ONNX file with its plate configuration beside it "
            f"({beside[0].name} or {beside[1].name}), and no published model of fast-plate-ocr"
        )
    return config


def _shifted(patches: NDArray[np.uint8], by_px: int) -> NDArray[np.uint8]:
    """Patches as seen from so many pixels farther right; their edge goes on."""
    columns = np.clip(np.arange(patches.shape[2]) + by_px, 0, patches.shape[2] - 1)
    return np.ascontiguousarray(patches[:, :, columns])


def _unsure(shares: Floats, hopeless: float = 0.0) -> NDArray[np.int64]:
    """Rows of shares ``(N, slots, characters)`` that are read neither surely nor without any hope."""
    confidence = shares.max(axis=2).prod(axis=1)
    return np.flatnonzero((confidence < SURE_OF_TEXT) & (confidence >= hopeless))


def _logs(shares: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(shares, _LEAST))
    return logs


def _agreed(logs: Floats, looks: int) -> Floats:
    """The geometric mean of the shares ``(M, ...)`` of so many looks, by the sum of logarithms."""
    mean = np.exp(logs / np.float32(looks))
    agreed: Floats = mean / mean.sum(axis=-1, keepdims=True)
    return agreed


def _code_matrix(letters: str, pad: str) -> Floats:
    """What a model's characters are in `plates.alphabet`, float32 ``(len(letters), 37)``; others are nothing."""
    matrix = np.zeros((len(letters), _CLASSES), np.float32)
    for row, letter in enumerate(letters):
        code = alphabet.CHARACTERS.find(letter.upper()) + 1
        if letter == pad or code > 0:
            matrix[row, alphabet.PAD if letter == pad else code] = 1.0
    return matrix


def _resampling(before: int, after: int) -> Floats:
    """Weights of linear interpolation that averages where it shrinks: float32 ``(after, before)``."""
    scale = before / after
    centres = (np.arange(after) + 0.5) * scale - 0.5
    reach = max(1.0, scale)
    weights = np.maximum(0, 1 - np.abs(np.arange(before)[None] - centres[:, None]) / reach)
    normalised: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
