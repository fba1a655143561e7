"""Photograph a plate: what is around it, where the camera stands, light, dirt, blur, noise and compression."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX
from training.render.faces import FontFace, font_files
from training.render.plate import Image, Plate
from training.render.strokes import HEIGHT_PX

_AROUND: Final = 0.30
"""How much of its height the surroundings reach beyond the plate, on each side."""


def photograph(plate: Plate, random: np.random.Generator, *, hardness: float = 1.0) -> Image:
    """Photograph a plate and cut it out, as a localiser does or a person: RGB uint8 ``(64, 256, 3)``.

    Parameters
    ----------
    hardness
        How bad the conditions may be: 0.5 moderate, 1 from good to hardly readable.
    """
    scene, origin = _surround(_wear(plate.image, random, hardness), plate.lines, random)
    height, width = plate.image.shape[:2]
    # How high a character is in the picture; 8 pixels can just be read.
    smallest = 8.0 + 10.0 * (1 - hardness)
    character_px = float(np.exp(random.uniform(np.log(smallest), np.log(52))))
    scale = character_px / HEIGHT_PX
    small = cv2.resize(scene, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) + origin
    window = _window(width, height, random, hardness) + origin
    picture = _see(np.asarray(small, np.uint8), quad * scale, window * scale, random, hardness)
    picture = _fringe(picture, random) if random.random() < 0.2 * hardness else picture
    picture = spoil(picture, random, character_px, hardness=hardness)
    if random.random() < 0.12 * hardness:
        picture = _enlarge(picture, random)
    shrinks = picture.shape[0] > PATCH_HEIGHT_PX or picture.shape[1] > PATCH_WIDTH_PX
    method = cv2.INTER_AREA if shrinks and random.random() < 0.7 else cv2.INTER_LINEAR
    if not shrinks and random.random() < 0.15:
        method = int(random.choice([cv2.INTER_NEAREST, cv2.INTER_CUBIC]))
    return np.asarray(cv2.resize(picture, (PATCH_WIDTH_PX, PATCH_HEIGHT_PX), interpolation=method), np.uint8)


def nothing(random: np.random.Generator) -> Image:
    """A patch on which no plate is, such as a localiser finds by mistake: RGB uint8 ``(64, 256, 3)``."""
    height, width = int(random.integers(12, 64)), int(random.integers(40, 256))
    cells = random.random((int(random.integers(1, 7)), int(random.integers(1, 9)), 3)).astype(np.float32)
    colour = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 3)
    grey = random.random() < 0.7
    scene = (colour.mean(axis=2, keepdims=True) if grey else colour) * np.ones(3) * random.uniform(20, 255)
    scene = np.ascontiguousarray(scene + random.uniform(0, 80), np.float32)
    if random.random() < 0.5:
        # Bars of a grille, slats, a brick wall.
        step, thick = int(random.integers(4, 24)), int(random.integers(1, 8))
        upright = random.random() < 0.5
        for at in range(int(random.integers(0, step)), width if upright else height, step):
            ends = ((at, 0), (at, height)) if upright else ((0, at), (width, at))
            cv2.line(scene, *ends, [float(random.integers(0, 255))] * 3, thick)
    picture = spoil(np.clip(scene, 0, 255).astype(np.uint8), random, 16.0)
    return np.asarray(cv2.resize(picture, (PATCH_WIDTH_PX, PATCH_HEIGHT_PX)), np.uint8)


def spoil(picture: Image, random: np.random.Generator, character_px: float, *, hardness: float = 1.0) -> Image:
    """Light, colour, blur, noise and compression of a camera on a picture whose characters are so high."""
    picture = _light(picture, random, hardness)
    picture = _blur(picture, random, character_px, hardness)
    if random.random() < 0.6:
        sigma = random.gamma(1.5, 3.5) * hardness
        fine = random.normal(0, sigma, picture.shape[:2])[:, :, None]
        if random.random() < 0.5:
            fine = fine + random.normal(0, sigma * 0.6, picture.shape)
        picture = np.clip(picture + fine, 0, 255).astype(np.uint8)
    if random.random() < 0.12:
        sharper = cv2.GaussianBlur(picture, (0, 0), 1.2).astype(np.float32)
        picture = np.clip(picture + (picture - sharper) * random.uniform(0.5, 2.0), 0, 255).astype(np.uint8)
    if random.random() < 0.75:
        quality = int(random.uniform(22 + 25 * (1 - hardness), 95))
        ok, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if ok:
            picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
    return picture


def _fringe(picture: Image, random: np.random.Generator) -> Image:
    """Red and blue a little beside green, as a cheap lens shows them."""
    fringed = picture.copy()
    size = (picture.shape[1], picture.shape[0])
    for channel in (0, 2):
        shift = np.hstack([np.eye(2), random.normal(0, 0.5, (2, 1))])
        fringed[:, :, channel] = cv2.warpAffine(
            np.ascontiguousarray(picture[:, :, channel]), shift, size, borderMode=cv2.BORDER_REPLICATE
        )
    return fringed


def _enlarge(picture: Image, random: np.random.Generator) -> Image:
    """Zoom as a recorder does, after the camera, and compress once more."""
    by = float(random.uniform(1.2, 2.5))
    method = int(random.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    larger = cv2.resize(picture, None, fx=by, fy=by, interpolation=method)
    ok, data = cv2.imencode(".jpg", larger[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(random.uniform(40, 95))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if ok else larger, np.uint8)


def _wear(image: Image, random: np.random.Generator, hardness: float) -> Image:
    """Bolts, dirt, scratches and stickers."""
    worn = image.copy()
    height, width = worn.shape[:2]
    if random.random() < 0.35:
        y = height // 2 if random.random() < 0.5 else int(random.choice([14, height - 14]))
        for x in (random.uniform(0.03, 0.3), random.uniform(0.7, 0.97)):
            shade = int(random.choice([30, 120, 200, 235]))
            at = (int(x * width), int(y + random.integers(-4, 5)))
            cv2.circle(worn, at, int(random.integers(4, 9)), (shade, shade, shade), -1, cv2.LINE_AA)
    if random.random() < 0.25 * hardness:
        cells = cv2.resize(
            random.random((5, 14)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
        dirt = np.clip((cells - random.uniform(0.5, 0.8)) * 2.5, 0, 0.75 * hardness)[:, :, None]
        worn = (worn * (1 - dirt) + np.array([95, 84, 70]) * dirt).astype(np.uint8)
    if random.random() < 0.12 * hardness:
        for _ in range(int(random.integers(1, 5))):
            ends = (random.random((2, 2)) * [width, height]).astype(int)
            shade = int(random.integers(60, 230))
            cv2.line(
                worn,
                tuple(ends[0].tolist()),
                tuple(ends[1].tolist()),
                (shade, shade, shade),
                int(random.integers(1, 4)),
            )
    if random.random() < 0.3:
        # Embossed: light from above on the upper edge, shadow under the lower one.
        grey = worn.mean(axis=2)
        relief = np.roll(grey, 2, axis=0) - np.roll(grey, -2, axis=0)
        worn = np.clip(worn + relief[:, :, None] * random.uniform(-0.25, 0.25), 0, 255).astype(np.uint8)
    return worn


def _surround(plate: Image, lines: int, random: np.random.Generator) -> tuple[Image, NDArray[np.float64]]:
    """The plate on a vehicle: the scene, and where the plate's top left corner is in it."""
    height, width = plate.shape[:2]
    reach = int(_AROUND * HEIGHT_PX * 1.5) + 6
    shade = random.integers(5, 235, 3) if random.random() < 0.4 else np.repeat(random.integers(5, 235), 3)
    scene = np.empty((height + 2 * reach, width + 2 * reach, 3), np.float32)
    scene[:] = shade
    scene *= np.linspace(random.uniform(0.5, 1.1), random.uniform(0.4, 1.1), scene.shape[0])[:, None, None]
    for _ in range(int(random.integers(0, 4))):
        # Edges of bumper, grille, recess and lamp.
        y = int(random.choice([random.integers(0, reach), random.integers(height + reach, scene.shape[0])]))
        colour = (
            random.integers(0, 250, 3).tolist() if random.random() < 0.3 else [int(random.integers(0, 250))] * 3
        )
        cv2.line(
            scene, (0, y), (scene.shape[1], y + int(random.integers(-8, 9))), colour, int(random.integers(1, 18))
        )
    if random.random() < 0.25:
        x = int(random.choice([random.integers(0, reach), random.integers(width + reach, scene.shape[1])]))
        sticker = random.random() < 0.4
        colour = [25.0, 60.0, 150.0] if sticker else random.integers(0, 250, 3).tolist()
        cv2.rectangle(scene, (x, 0), (x + int(random.integers(5, 60)), scene.shape[0]), colour, -1)
        if sticker:
            # A euro band of its own, beside an older plate.
            letter = str(random.choice(list("BFDLINPE")))
            # OpenCV writes on bytes alone.
            mask = np.zeros(scene.shape[:2], np.uint8)
            cv2.putText(mask, letter, (x + 4, reach + height - 12), cv2.FONT_HERSHEY_DUPLEX, 1.1, 255, 3)
            scene[mask > 128] = 230.0
    if random.random() < 0.55:
        _frame(scene, (reach, reach, width, height), random)
    scene[reach : reach + height, reach : reach + width] = plate
    if random.random() < 0.15:
        cv2.rectangle(
            scene,
            (reach, reach),
            (reach + width, reach + height),
            [float(random.integers(10, 120))] * 3,
            int(random.integers(2, 7)),
        )
    if random.random() < 0.15:
        # The edge of a recess casts its shadow over the plate.
        depth = int(random.uniform(0.05, 0.45) * height)
        scene[reach : reach + depth] *= random.uniform(0.35, 0.8)
    return np.clip(scene, 0, 255).astype(np.uint8), np.array([reach, reach], np.float64)


def _frame(scene: NDArray[np.float32], box: tuple[int, int, int, int], random: np.random.Generator) -> None:
    """A holder around the plate, often with the dealer's name below or above."""
    x, y, width, height = box
    shade = float(random.choice([18, 35, 60, 150, 200, 225]))
    side, low = int(random.integers(3, 14)), int(random.integers(5, 34))
    cv2.rectangle(scene, (x - side, y - side), (x + width + side, y + height + low), [shade] * 3, -1)
    fonts = font_files()
    if low < 12 or not fonts or random.random() < 0.25:
        return
    face = FontFace(fonts[int(random.integers(len(fonts)))], float(random.uniform(0.8, 1.3)))
    text = "".join(random.choice(list("ABCDEFGHIKLMNOPRSTUVWZ  .0123456789"), int(random.integers(6, 26))))
    gap = int(random.integers(8, 60))
    pieces = [
        np.pad(face.draw(each), ((0, 0), (0, gap)))
        if each.isalnum()
        else np.zeros((HEIGHT_PX, 40 + gap), np.uint8)
        for each in text
    ]
    line = np.concatenate(pieces, axis=1)
    tall = low - int(random.integers(4, 8))
    wide = min(width - 10, max(20, int(line.shape[1] * tall / HEIGHT_PX)))
    small = cv2.resize(line, (wide, tall), interpolation=cv2.INTER_AREA)[:, :, None] / 255.0
    left, top = x + (width - wide) // 2, y + height + (low - tall) // 2
    under = scene[top : top + tall, left : left + wide]
    colour = 235.0 if shade < 120 else 25.0
    under[:] = under * (1 - small) + colour * small


def _window(width: int, height: int, random: np.random.Generator, hardness: float) -> NDArray[np.float64]:
    """What is cut out, float64 ``(4, 2)``: from within the border to a generous margin."""
    unit = min(height, 1.4 * HEIGHT_PX)
    tight = random.random() < 0.5
    out = (random.normal(0.0, 0.035, 4) if tight else random.uniform(-0.04, _AROUND, 4)) * unit
    # Hardly into a character, at most: its margin is about a tenth of the height.
    left, top, right, low = np.maximum(out, -(0.12 if random.random() < 0.1 * hardness else 0.07) * unit)
    corners = np.array(
        [[-left, -top], [width + right, -top], [width + right, height + low], [-left, height + low]]
    )
    wobble: NDArray[np.float64] = corners + random.normal(0, 0.012 * unit * hardness, (4, 2))
    return wobble


def _see(
    small: Image,
    quad: NDArray[np.float64],
    window: NDArray[np.float64],
    random: np.random.Generator,
    hardness: float,
) -> Image:
    """Turn, shear and foreshorten the scene about the plate, and cut the upright window around it."""
    low, high = window.min(axis=0), window.max(axis=0)
    centre = quad.mean(axis=0)
    turn = np.deg2rad(
        random.normal(0, 2.0 * hardness) if random.random() < 0.8 else random.uniform(-8, 8) * hardness
    )
    shear = random.normal(0, 0.06 * hardness) if random.random() < 0.8 else random.uniform(-0.35, 0.35) * hardness
    squeeze = np.exp(random.normal(-0.04, 0.12))
    shape = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[squeeze, shear], [0, 1]]
    )
    seen = (quad - centre) @ shape.T + centre
    seen += random.normal(0, 0.012 * hardness, (4, 2)) * (quad[2] - quad[0])[1]
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), seen.astype(np.float32))
    # The window follows the plate: what was outside of it before is about as far outside after.
    grown_low = seen.min(axis=0) + (low - quad.min(axis=0)) * np.array([squeeze, 1])
    grown_high = seen.max(axis=0) + (high - quad.max(axis=0)) * np.array([squeeze, 1])
    straight = random.random() < 0.35
    if straight:
        # As a localiser's corners do: rectified, but for what they are off.
        matrix = np.eye(3)
        grown_low, grown_high = window.min(axis=0), window.max(axis=0)
        off = random.normal(0, 0.03 * hardness, (4, 2)) * (quad[2] - quad[0])[1]
        matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), (quad + off).astype(np.float32))
    size = np.maximum(np.round(grown_high - grown_low), 6).astype(int)
    shift = np.array([[1, 0, -grown_low[0]], [0, 1, -grown_low[1]], [0, 0, 1]])
    seen_picture = cv2.warpPerspective(
        small,
        shift @ matrix,
        (int(size[0]), int(size[1])),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(seen_picture, np.uint8)


def _light(picture: Image, random: np.random.Generator, hardness: float) -> Image:
    lit = picture.astype(np.float32)
    height, width = lit.shape[:2]
    chance = random.random()
    if chance < 0.10:
        # Infra-red: no colour, the plate bright and all else dark or the reverse. Red ink is dark to it too, or no
        # camera would read a Belgian plate by night.
        lit = np.repeat(lit[:, :, int(random.integers(1, 3))][:, :, None], 3, axis=2)
        lit = (lit - lit.mean()) * random.uniform(0.7, 1.4) + random.uniform(80, 190)
    elif chance < 0.25:
        lit = np.repeat(lit.mean(axis=2, keepdims=True), 3, axis=2)
    else:
        lit *= np.exp(random.normal(0, 0.06, 3)).astype(np.float32)
        if random.random() < 0.4:
            grey = lit.mean(axis=2, keepdims=True)
            lit = grey + (lit - grey) * float(random.uniform(0.2, 1.4))
    if random.random() < 0.35 * hardness:
        angle = random.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        slope = np.cos(angle) * x / width + np.sin(angle) * y / height
        if random.random() < 0.5:
            lit *= (1 + random.uniform(-0.5, 0.5) * slope)[:, :, None]
        else:
            edge = float(random.uniform(slope.min(), slope.max()))
            lit *= np.where(slope > edge, np.float32(random.uniform(0.35, 0.8)), np.float32(1))[:, :, None]
    if random.random() < 0.06 * hardness:
        at = random.random(2) * [width, height]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        glare = np.exp(-(((x - at[0]) / (0.2 * width)) ** 2 + ((y - at[1]) / (0.6 * height)) ** 2))
        lit += (glare * random.uniform(40, 160))[:, :, None]
    contrast = float(np.exp(random.normal(-0.15, 0.35 * hardness)))
    middle = float(np.clip(random.normal(125, 38 * (0.5 + 0.5 * hardness)), 45, 215))
    if random.random() < 0.8:
        lit = (lit - lit.mean()) * contrast + middle
    if random.random() < 0.3:
        power = float(np.exp(random.normal(0, 0.3)))
        lit = (255 * np.clip(lit / 255, 0, 1) ** power).astype(np.float32)
    lit_picture: Image = np.clip(lit, 0, 255).astype(np.uint8)
    return lit_picture


def _blur(picture: Image, random: np.random.Generator, character_px: float, hardness: float) -> Image:
    chance = random.random()
    if chance < 0.55:
        # Up to about a stroke of a character, which is an eighth of its height.
        sigma = random.uniform(0.2, 0.35 + character_px * 0.055 * hardness)
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    if chance < 0.70:
        length = max(2, round(random.uniform(0.05, 0.22 * hardness + 0.05) * character_px))
        kernel = np.zeros((length, length), np.float32)
        angle = random.uniform(0, np.pi)
        reach = np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
        middle = (length - 1) / 2
        cv2.line(
            kernel,
            (round(middle - reach[0]), round(middle - reach[1])),
            (round(middle + reach[0]), round(middle + reach[1])),
            1.0,
        )
        return np.asarray(
            cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8
        )
    return picture
