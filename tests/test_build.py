from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import open_dict

from xray import build
from xray.config import CONF_DIR, prepare_environment
from xray.errors import ConfigError


def config(*overrides: str):
    prepare_environment()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("train", ["data=folder", "data.root=nowhere", "data.size=32", *overrides])


@pytest.mark.parametrize("transform", ["none", "light", "strong"])
def test_transforms_return_images_of_the_configured_size(transform):
    data = build.build_data(config(f"transform={transform}"))
    image = torch.randint(0, 255, (70, 50), dtype=torch.uint8).numpy()
    assert data.train(image, 0, 0).shape == (1, 32, 32)
    assert torch.equal(data.evaluate(image), data.evaluate(image, 3, 4))


def test_unknown_argument_of_a_transform_is_an_error():
    wrong = "transform.train=[{_target_: albumentations.Rotate, limits: 3}]"
    with pytest.raises(ConfigError, match=r"transform\.train has arguments .*limits"):
        build.build_data(config(wrong))


def test_batch_normalization_needs_two_images(make_tree):
    root = make_tree(
        {f"{split}/{name}": 4 for split in ("train", "test") for name in ("normal", "covid")}
    )
    cfg = config(f"data.root={root}", "data.batch_size=1", "data.min_val=0", "model.weights=random")
    with pytest.raises(ConfigError, match=r"batch_size is 1, but model\.head\.norm=auto is batch"):
        build.build_model(cfg, build.build_data(cfg))


def test_distributed_run_does_not_cache_activations(tmp_path, monkeypatch):
    class Distributed:
        world_size = 2

        class strategy:  # noqa: N801
            root_device = torch.device("cpu")

        class precision_plugin:  # noqa: N801
            forward_context = None

    cfg = config(f"cache.dir={tmp_path}", "cache.views=3")
    cache = build.build_cache(cfg, Distributed())
    assert (cache.mode, cache.views, cache.folder) == ("off", 3, Path(tmp_path))


def test_decoded_images_are_cached_next_to_activations_also_for_older_runs(tmp_path):
    cfg = config(f"cache.dir={tmp_path}", "cache.pixels=off", "cache.max_gb=3")
    pixels = build.build_pixels(cfg)
    assert (pixels.folder, pixels.mode, pixels.max_gb) == (tmp_path, "off", 3)
    with open_dict(cfg):
        del cfg.cache.pixels
    assert build.build_pixels(cfg).mode == "auto"
