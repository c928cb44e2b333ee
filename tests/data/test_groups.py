from pathlib import Path

import pytest

from xray.data.groups import Groups, fold_name, is_noise
from xray.errors import ConfigError, DataError

TWO = {"normal": ["no findings"], "pneumonia": ["covid 19", "viral pneumonia"]}


@pytest.mark.parametrize(
    ("folder", "index"),
    [("NORMAL", 0), ("No_findings", 0), ("COVID-19", 1), ("Viral Pneumonia", 1), ("pneumonia", 1)],
)
def test_case_and_punctuation_do_not_matter(folder: str, index: int) -> None:
    assert Groups(TWO).index(Path("root") / folder) == index


def test_unknown_folder_names_the_nearest_and_the_next_move() -> None:
    with pytest.raises(DataError, match=r"'pneumonia'.*data\.groups\.pneumonia") as error:
        Groups(TWO).index(Path("root/PNEUMONA"))
    assert "root/PNEUMONA" in str(error.value)


def test_folder_claimed_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'covid'.*'sick'.*'covid'|'covid' under 'sick'"):
        Groups({"normal": [], "sick": ["Covid"], "covid": []})


def test_one_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 class"):
        Groups({"normal": []})


def test_order_is_that_of_the_configuration() -> None:
    assert Groups({"z": [], "a": []}).classes == ("z", "a")
    assert Groups(TWO).as_dict()["normal"] == ["no findings", "normal"]


def test_names() -> None:
    assert fold_name(" COVID_19-(x) ") == "covid 19 x"
    assert [is_noise(n) for n in ("__MACOSX", ".git", "masks", "normal")] == [
        True,
        True,
        True,
        False,
    ]
