import pytest
import torch

from xray.errors import DataError
from xray.model.normalize import GrayToRGB


def test_normalization_by_hand():
    normalize = GrayToRGB(mean=(0.5, 0.0, 0.2), std=(0.5, 1.0, 0.1))
    out = normalize(torch.tensor([[[[51, 255]]]], dtype=torch.uint8))
    expected = torch.tensor([[-0.6, 1.0], [0.2, 1.0], [0.0, 8.0]])
    assert torch.allclose(out[0, :, 0], expected, atol=1e-6)
    assert torch.equal(normalize(torch.tensor([[[[0.2, 1.0]]]])), out)


@pytest.mark.parametrize(
    ("image", "found", "advice"),
    [
        (torch.full((1, 1, 4, 4), 255.0), r"from 255 to 255", "by 255"),
        (torch.full((1, 1, 4, 4), -1.5), r"from -1\.5 to -1\.5", "Do not normalize"),
        (torch.full((1, 1, 4, 4), float("nan")), "from nan", "by 255"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.int64), r"torch\.int64", r"torch\.uint8"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.bool), r"torch\.bool", r"torch\.uint8"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"\(1, 3, 4, 4\)", "one gray channel"),
        (torch.zeros(1, 4, 4, dtype=torch.uint8), r"\(1, 4, 4\)", r"image\[None\]"),
        (torch.zeros(4, 4), r"\(4, 4\)", r"image\[None\]"),
    ],
)
def test_images_that_would_be_misinterpreted_are_rejected(image, found, advice):
    with pytest.raises(DataError, match=rf"(?s){found}.*{advice}"):
        GrayToRGB((0.0,) * 3, (1.0,) * 3)(image)
