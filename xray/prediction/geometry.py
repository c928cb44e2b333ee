"""Map a heatmap from the input of the network back to the image."""

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from xray.data.transforms import SeededTransform
from xray.errors import ConfigError


def to_image(
    heatmap: NDArray[np.float32], transform: SeededTransform, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Map a heatmap to the pixels of the image that the transform was applied to.

    The corners of the image are transformed as keypoints, which gives the affine map from the image
    to the network's input (resizing, padding, cropping); the heatmap is interpolated along its
    inverse. Parts of the image that the network did not see are 0.

    Args:
        heatmap: (h, w) float32, on the output of the transform.
        transform: The evaluation transform.
        shape: Height and width of the image in pixels.

    Returns:
        (H, W) float32 in the range of `heatmap`.

    Raises:
        ConfigError: A step of the transform cannot map coordinates.
    """
    height, width = shape
    # Coordinates of the edges of pixels: (0, 0) is the outer corner of the first pixel.
    corners = np.array([[0, 0], [width, 0], [0, height]], np.float32)
    moved = _keypoints(corners, transform, shape)
    # Coordinates of the centers of pixels, as OpenCV counts.
    matrix = cv2.getAffineTransform(corners - 0.5, moved - np.float32(0.5))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = np.pad(heatmap, 1, mode="edge")
    matrix[:, 2] += 1
    mapped = cv2.warpAffine(border, matrix, (width, height), flags=flags)
    return np.asarray(mapped, np.float32)


def _keypoints(
    points: NDArray[np.float32], transform: SeededTransform, shape: tuple[int, int]
) -> NDArray[np.float32]:
    if not transform.compose.transforms:
        return points
    steps = A.Compose(
        transform.compose.transforms,
        keypoint_params=A.KeypointParams("xy", remove_invisible=False),
        seed=transform.seed,
    )
    try:
        found = steps(image=np.zeros(shape, np.uint8), keypoints=points)["keypoints"]
    except NotImplementedError as error:
        raise ConfigError(
            f"The heatmap cannot be mapped to the image: {error}. Use Resize, LongestMaxSize, "
            "PadIfNeeded or a crop in transform.eval, or explain the input of the network with "
            "xray.explain."
        ) from error
    return np.asarray(found, np.float32).reshape(-1, 2)
