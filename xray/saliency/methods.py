"""Table of the class activation methods; importing it does not import torch."""

from xray.errors import ConfigError
from xray.suggest import did_you_mean, nearest

METHODS: dict[str, str] = {
    "gradcam": "GradCAM",
    "gradcampp": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "elementwise": "GradCAMElementWise",
    "eigencam": "EigenCAM",
    "eigengradcam": "EigenGradCAM",
    "segeigencam": "SegEigenCAM",
    "shapleycam": "ShapleyCAM",
    "finercam": "FinerCAM",
}
"""Name in the configuration -> class in `pytorch_grad_cam`.

These are all gradient methods of the package that use one layer. FullGrad adds up the biases of
every layer and RefineCAM multiplies the maps of several layers, so a tail does not suffice.
"""

CLASS_AGNOSTIC = frozenset({"eigencam"})
"""Methods that use the activations only: the map is the same for every class."""


def check_method(method: str) -> None:
    """Check the name of a method.

    Raises:
        ConfigError: `method` is not a key of `METHODS`.
    """
    if method not in METHODS:
        hint = did_you_mean(nearest(method, METHODS))
        raise ConfigError(f"method={method} is unknown: choose one of {', '.join(METHODS)}.{hint}")
