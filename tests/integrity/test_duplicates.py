"""Copies of phantoms, processed in the ways that occur in public datasets."""

import cv2
import numpy as np
import pytest

from xray.imaging.read import read_image
from xray.integrity.duplicates import Alignment, Pair, align, find_duplicates
from xray.integrity.index import index_files
from xray.phantom.draw import draw_phantom


def phantom(patient, size=224):
    kind = ("normal", "pneumonia", "covid")[patient % 3]
    return draw_phantom(kind, patient=patient, view=0, seed=3, size=size).image


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def cropped(image, top, left, bottom, right):
    height, width = image.shape
    return image[
        int(top * height) : height - int(bottom * height),
        int(left * width) : width - int(right * width),
    ]


def rotated(image, degrees):
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


COPIES = {
    "re-encoded": lambda image: jpeg(image, 90),
    "re-encoded, low quality": lambda image: jpeg(image, 30),
    "smaller": lambda image: cv2.resize(image, (120, 120), interpolation=cv2.INTER_AREA),
    "larger, distorted": lambda image: cv2.resize(image, (400, 340)),
    "brighter": lambda image: np.clip(image.astype(int) + 35, 0, 255).astype(np.uint8),
    "darker": lambda image: np.clip(image.astype(int) - 35, 0, 255).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8),
    "cropped by 2 %": lambda image: cropped(image, 0.02, 0.02, 0.02, 0.02),
    "cropped by 5 %": lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05),
    "cropped on two sides": lambda image: cropped(image, 0.03, 0.03, 0, 0),
    "rotated": lambda image: rotated(image, 1.5),
    "all at once": lambda image: jpeg(
        cv2.resize(cropped(image, 0.02, 0.01, 0.02, 0.03), (180, 180)), 60
    ),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    paths = [folder / f"{i:02d}.png" for i in range(36)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), phantom(i))
    return paths


def search(paths):
    return find_duplicates(index_files(paths), lambda i: read_image(paths[i]))


def test_different_patients_are_not_duplicates(originals):
    assert search(originals) == []


def test_every_kind_of_copy_is_found(originals, tmp_path):
    copies = []
    for i, copy in enumerate(COPIES.values()):
        copies.append(tmp_path / f"{i:02d}.png")
        cv2.imwrite(str(copies[i]), copy(phantom(i)))
    found = search([*originals, *copies])
    assert [(pair.first, pair.second) for pair in found] == [
        (i, len(originals) + i) for i in range(len(COPIES))
    ]
    assert not any(pair.exact for pair in found)


def test_identical_files_are_paired_with_the_first(originals, tmp_path):
    copies = [tmp_path / name for name in ("a.png", "b.png")]
    for copy in copies:
        copy.write_bytes(originals[2].read_bytes())
    assert search([*originals[:4], *copies]) == [Pair(2, 4, 1.0, True), Pair(2, 5, 1.0, True)]


def test_correlation_of_an_image_with_itself_and_with_another():
    one, other = phantom(0), phantom(1)
    assert align(one, one) == pytest.approx((1.0, 0.0), abs=1e-5)
    assert align(one, rotated(one, 1.0)).correlation > 0.95
    assert align(one, other).correlation < 0.8
    assert align(one, 255 - one).correlation == -1.0


def test_moved_images_need_a_larger_correlation():
    image = phantom(0)
    # A tenth of the side is cropped on the left, so that the left corners move by a tenth.
    assert align(image, cropped(image, 0, 0.1, 0, 0), (0.95, 0.05, 0)).moved == pytest.approx(
        0.1, abs=0.01
    )
    assert Alignment(0.89, 0.01).same
    assert not Alignment(0.89, 0.05).same
    assert Alignment(0.92, 0.05).same


def test_no_files():
    assert search([]) == []
