import pytest
from foreign import Incomplete, TinyNet, Unsaved

from xray.errors import ConfigError, RunError
from xray.model.interface import check_classes, check_model


def test_complete_model_is_accepted():
    check_model(TinyNet(classes=["a", "b"]))


def test_missing_members_are_named():
    with pytest.raises(ConfigError, match=r"Incomplete lacks classes, forward, training_step"):
        check_model(Incomplete())


def test_model_that_cannot_be_restored():
    model = Unsaved(classes=["a", "b"])
    with pytest.raises(ConfigError, match=r"Unsaved .* classes .*save_hyperparameters"):
        check_model(model)


def test_object_that_is_not_a_lightning_module():
    with pytest.raises(ConfigError, match="object is not a pytorch_lightning"):
        check_model(object())


def test_other_classes_are_rejected():
    model = TinyNet(classes=["normal", "pneumonia"])
    check_classes(model, ("normal", "pneumonia"))
    with pytest.raises(RunError, match=r"normal, pneumonia.*pneumonia, normal"):
        check_classes(model, ["pneumonia", "normal"])
