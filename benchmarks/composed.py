"""Configurations for the measurements in the process of the benchmark."""

from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks.setting import BATCH, Setting
from xray.config import CONF_DIR, prepare_environment

if TYPE_CHECKING:
    from omegaconf import DictConfig


def configuration(setting: Setting, *overrides: str) -> "DictConfig":
    """Compose the configuration of a training on the images of a setting; write no files."""
    prepare_environment()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose(
            "train",
            [
                *("data=folder", f"data.root={setting.root}", f"data.size={setting.size}"),
                *("data.min_val=0", "data.audit=false", "data.workers=2"),
                *(f"data.batch_size={BATCH}", f"model.weights={setting.weights}"),
                *("callbacks=none", "logger=none", f"paths.outputs={setting.outputs}"),
                f"paths.run={setting.outputs / 'run'}",
                *overrides,
            ],
        )


def groups() -> dict[str, list[str]]:
    """Return the default `data.groups`: class name -> folder names."""
    prepare_environment()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        found: Any = OmegaConf.to_container(compose("train", ["data=folder"]).data.groups)
    return dict(found)
