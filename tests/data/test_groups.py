from pathlib import Path

import pytest
from omegaconf import OmegaConf

from xray.data.groups import TWO_CLASS, Groups
from xray.errors import ConfigError, DataError

TWO = {"normal": ["no findings"], "pneumonia": ["covid 19", "viral pneumonia"]}


@pytest.mark.parametrize(
    ("folder", "index"),
    [("NORMAL", 0), ("No_findings", 0), ("COVID-19", 1), ("Viral Pneumonia", 1), ("pneumonia", 1)],
)
def test_case_and_punctuation_do_not_matter(folder: str, index: int) -> None:
    assert Groups(TWO).index(Path("root") / folder) == index


def test_an_unknown_folder_is_an_error_with_an_option_for_each_class() -> None:
    with pytest.raises(DataError, match="similar to 'pneumonia'") as error:
        Groups(TWO).index(Path("root/PNEUMONA"))
    lines = str(error.value).splitlines()
    assert "root contains images" in lines[0]
    assert "'PNEUMONA'" in lines[0]
    assert lines[1:] == [
        "  'PNEUMONA' to normal: 'data.groups.normal=[no findings,normal,pneumona]'",
        "  'PNEUMONA' to pneumonia: "
        "'data.groups.pneumonia=[covid 19,pneumonia,viral pneumonia,pneumona]'",
    ]


@pytest.mark.parametrize(
    ("folder", "split"),
    [("test_set", "test"), ("train2", "train"), ("Training Data", "train"), ("val-images", "val")],
)
def test_an_unknown_folder_named_like_a_split_is_recognized(folder: str, split: str) -> None:
    message = Groups(TWO).explain_unknown([Path("root") / folder])
    assert f"the folder of a split is named '{split}'" in message


def options(message: str) -> dict[str, dict[str, str]]:
    """Return {folder: {class: option}} as written in a message."""
    found: dict[str, dict[str, str]] = {}
    for line in message.splitlines()[1:]:
        target, option = line.split(": ", 1)
        folder, name = target.strip().split(" to ")
        found.setdefault(folder.strip("'"), {})[name] = option.strip("'")
    return found


@pytest.mark.slow
def test_the_options_for_unknown_folders_are_accepted_by_the_command_line() -> None:
    from hydra import compose, initialize_config_dir

    from xray.schema.data import Folder

    folders = ["0", "1", "1e3", "null", "Tuberculosis (TB)", "Größe", "true"]
    unknown = [Path("root") / name for name in folders]
    found = options(Groups(TWO_CLASS).explain_unknown(unknown))
    assert list(found) == folders
    assert all(set(by_class) == {"normal", "pneumonia"} for by_class in found.values())
    conf = str(Path(__file__).parents[2] / "conf")
    with initialize_config_dir(conf, version_base="1.3"):
        for folder, by_class in found.items():
            for target, (name, option) in enumerate(by_class.items()):
                cfg = compose("train", [option, "data=folder", "data.root=x"])
                data = OmegaConf.to_container(cfg.data)
                assert isinstance(data, dict)
                fields = {**data, "audit_dir": "x", "seed": 0}
                groups = Folder.model_validate(fields).groups
                assert Groups(groups).find(folder) == target, (name, option)


def test_two_options_can_be_combined() -> None:
    from hydra import compose, initialize_config_dir

    found = options(Groups(TWO_CLASS).explain_unknown([Path("root/0"), Path("root/1")]))
    conf = str(Path(__file__).parents[2] / "conf")
    with initialize_config_dir(conf, version_base="1.3"):
        chosen = [found["0"]["normal"], found["1"]["pneumonia"]]
        cfg = compose("train", ["data=folder", *chosen])
    groups = Groups(OmegaConf.to_container(cfg.data.groups))
    assert [groups.find(name) for name in ("0", "1", "healthy", "covid")] == [0, 1, 0, 1]


def test_the_default_grouping_is_that_of_the_command_line() -> None:
    path = Path(__file__).parents[2] / "conf/data/groups/two_class.yaml"
    saved = OmegaConf.to_container(OmegaConf.load(path))
    assert saved == TWO_CLASS
    assert list(saved) == list(TWO_CLASS)


def test_a_folder_name_of_two_classes_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"'covid'.*'sick'.*'covid'|'covid' under 'sick'"):
        Groups({"normal": [], "sick": ["Covid"], "covid": []})


def test_one_class_is_an_error() -> None:
    with pytest.raises(ConfigError, match="1 class"):
        Groups({"normal": []})


def test_the_order_of_classes_is_that_of_the_configuration() -> None:
    assert Groups({"z": [], "a": []}).classes == ("z", "a")
    assert Groups(TWO).as_dict()["normal"] == ["no findings", "normal"]
