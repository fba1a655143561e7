"""What a camera makes of a scene: light, colour, blur, noise, compression."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

# Gains of red, green and blue: daylight, dusk, sodium lamps, a windscreen's tint, a sensor that sees infra-red.
_CASTS: Final = (
    (1.0, 1.0, 1.0),
    (0.92, 0.98, 1.08),
    (1.15, 0.95, 0.68),
    (0.92, 1.05, 0.95),
    (1.10, 0.80, 1.12),
    (1.15, 0.72, 0.92),
)


def spoil(image: Image, random: np.random.Generator) -> Image:
    """Return the scene as a camera delivers it; RGB uint8 ``(H, W, 3)`` like `image`."""
    light = image.astype(np.float32)
    light = _bloom(light, random)
    light = _expose(light, random)
    light = _blur(light, random)
    light = _resample(light, random)
    light = _noise(light, random)
    spoilt = np.clip(light, 0, 255).astype(np.uint8)
    if random.random() < 0.3:
        spoilt = _sharpen(spoilt, random)
    if random.random() < 0.7:
        spoilt = _compress(spoilt, int(random.integers(22, 92)))
    return spoilt


def _bloom(light: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Let bright areas glow into their neighbourhood, and haze lie over everything."""
    if random.random() < 0.35:
        small = cv2.resize(light, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        glow = cv2.GaussianBlur(np.maximum(small - random.uniform(150, 215), 0), (0, 0), random.uniform(1.5, 8))
        wide = np.asarray(cv2.resize(glow, light.shape[1::-1]), np.float32)
        light = light + np.float32(random.uniform(0.6, 2.5)) * wide
    if random.random() < 0.25:
        share = random.uniform(0.05, 0.45)
        light = np.asarray(light * (1 - share) + share * random.uniform(90, 235, 3), np.float32)
    return light


def _expose(light: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    if random.random() < 0.15:
        grey = light @ np.array([0.45, 0.35, 0.2], np.float32)
        light = np.repeat(grey[:, :, None], 3, axis=2)
    else:
        saturation = random.uniform(0.4, 1.35)
        grey = light.mean(axis=2, keepdims=True)
        cast = np.asarray(_CASTS[int(random.integers(len(_CASTS)))] * random.uniform(0.94, 1.06, 3))
        if random.random() < 0.12:
            # A sensor without a filter, under lamps of one colour.
            cast = random.uniform(0.35, 1.5, 3)
        light = (grey + saturation * (light - grey)) * cast.astype(np.float32)
    gamma, gain = random.uniform(0.65, 1.6), random.uniform(0.6, 1.25)
    exposed = 255 * gain * (np.clip(light, 0, 400) / 255) ** gamma
    return exposed.astype(np.float32)


def _blur(light: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Defocus, or movement in any direction while the shutter is open."""
    kind = random.random()
    if kind < 0.55:
        sigma = float(random.uniform(0.3, 1.2) if random.random() < 0.85 else random.uniform(1.2, 2.4))
        return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)
    if kind < 0.75:
        length = int(random.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        angle = random.uniform(0, np.pi)
        centre = (length - 1) / 2
        reach = np.array([np.cos(angle), np.sin(angle)]) * centre
        begin, end = (np.array([centre, centre]) + sign * reach for sign in (-1, 1))
        cv2.line(kernel, begin.round().astype(int).tolist(), end.round().astype(int).tolist(), 1.0, 1, cv2.LINE_AA)
        return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.float32)
    return light


def _resample(light: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Lose detail as a cheap sensor or a scaled stream does."""
    if random.random() > 0.3:
        return light
    share = float(random.uniform(0.5, 0.95))
    small = cv2.resize(light, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    how = cv2.INTER_LINEAR if random.random() < 0.5 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, light.shape[1::-1], interpolation=how), np.float32)


def _noise(light: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    height, width = light.shape[:2]
    strength = float(random.uniform(0, 5) if random.random() < 0.8 else random.uniform(5, 16))
    grain = random.standard_normal((height, width, 1), np.float32) * strength
    if random.random() < 0.3:
        coarse = random.standard_normal((height // 2, width // 2, 3), np.float32) * strength
        grain = grain + cv2.resize(coarse, (width, height))
    noisy: NDArray[np.float32] = light + grain
    return noisy


def _sharpen(image: Image, random: np.random.Generator) -> Image:
    """Overdo the edges, as the processing of phones and dash-board cameras does."""
    amount = float(random.uniform(0.3, 1.4))
    soft = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.8, 1.8)))
    return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)


def _compress(image: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
