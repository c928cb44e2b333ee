"""Fine-tune VGG16 and similar networks on chest X-rays, and explain predictions with Grad-CAM.

>>> import xray
>>> run = xray.load_run("latest")  # doctest: +SKIP
>>> run.predict("image.dcm").label  # doctest: +SKIP
'pneumonia'

Names are imported when they are first used, so that `import xray` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xray.api import Run, explain, load_run
    from xray.data.datamodule import XrayDataModule
    from xray.errors import (
        ArchiveError,
        ConfigError,
        DataError,
        FetchError,
        ImageError,
        RunError,
        TrainingError,
        WeightsError,
        XrayError,
    )
    from xray.model.classifier import XrayClassifier
    from xray.prediction.prediction import Prediction
    from xray.saliency.callback import GradCAMCallback

__version__: str
__all__ = [
    "ArchiveError",
    "ConfigError",
    "DataError",
    "FetchError",
    "GradCAMCallback",
    "ImageError",
    "Prediction",
    "Run",
    "RunError",
    "TrainingError",
    "WeightsError",
    "XrayClassifier",
    "XrayDataModule",
    "XrayError",
    "__version__",
    "explain",
    "load_run",
]

_MODULES = {
    "GradCAMCallback": "xray.saliency.callback",
    "Prediction": "xray.prediction.prediction",
    "Run": "xray.api",
    "XrayClassifier": "xray.model.classifier",
    "XrayDataModule": "xray.data.datamodule",
    "explain": "xray.api",
    "load_run": "xray.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("xray")
    elif name in __all__:
        from xray.config import prepare_environment

        prepare_environment()
        value = getattr(import_module(_MODULES.get(name, "xray.errors")), name)
    else:
        raise AttributeError(f"module 'xray' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
