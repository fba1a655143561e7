"""Drawn scenes: their plates are where they say, and the same seed draws the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.ingest.images import decode_image
from pipeline.ingest.localise import Localiser
from training.scenes import Image, Scene, Vehicle, draw_close_up, draw_scene, encode_jpeg

CAR = Vehicle("1-KLD-593", "BE")
VAN = Vehicle("K-123-BB", "NL", van=True)


def draw(*vehicles: Vehicle, seed: int = 4, camera: str = "cam", infrared: bool = False) -> Scene:
    return draw_scene(vehicles, np.random.default_rng(seed), camera=camera, infrared=infrared)


def inside(image: Image, corners: np.ndarray) -> Image:
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, corners.astype(np.int32), 1)
    return image[mask > 0]


@pytest.mark.parametrize("vehicles", [(), (CAR,), (CAR, VAN)])
def test_a_scene_has_the_plates_of_its_vehicles(vehicles: tuple[Vehicle, ...]) -> None:
    scene = draw(*vehicles)
    assert scene.image.shape == (720, 1280, 3)
    assert scene.image.dtype == np.uint8
    assert scene.corners.shape == (len(vehicles), 4, 2)
    assert scene.corners.dtype == np.float32
    for corners in scene.corners:
        assert (corners > 0).all()
        assert (corners < [1280, 720]).all()
    if vehicles:
        assert np.median(inside(scene.image, scene.corners[0])[:, 1]) > 150


def test_two_vehicles_do_not_cover_each_other() -> None:
    for seed in range(20):
        first, second = draw(CAR, VAN, seed=seed).corners
        assert first[:, 0].max() < second[:, 0].min()


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    np.testing.assert_array_equal(draw(CAR).image, draw(CAR).image)
    assert (draw(CAR).image != draw(CAR, seed=5).image).any()


def test_a_camera_always_sees_its_own_road() -> None:
    houses = slice(0, 230)
    one, again, other = (
        draw(seed=seed, camera=camera).image[houses].astype(int)
        for seed, camera in ((1, "cam-a"), (2, "cam-a"), (3, "cam-b"))
    )
    assert np.abs(one - again).mean() < 25
    assert np.abs(one - other).max() > 60
    assert np.abs(one - again).mean() < np.abs(one - other).mean()


def test_an_infra_red_flash_shows_the_plate_and_little_else() -> None:
    scene = draw(CAR, infrared=True)
    assert np.median(scene.image) < 60
    assert np.median(inside(scene.image, scene.corners[0])) > 150


def test_a_close_up_is_small_and_its_plate_is_found() -> None:
    scene = draw_close_up(CAR, np.random.default_rng(1))
    assert scene.image.shape[1] < 500
    found = Localiser().find([scene.image])[0]
    assert len(found) == 1
    low, high = scene.corners[0].min(axis=0), scene.corners[0].max(axis=0)
    centre = found.corners[0].mean(axis=0)
    assert (low < centre).all()
    assert (centre < high).all()


def test_a_jpeg_comes_back_nearly_as_it_was() -> None:
    image = draw(CAR).image
    decoded = decode_image(encode_jpeg(image, 95))
    assert np.abs(decoded.astype(int) - image).mean() < 3
