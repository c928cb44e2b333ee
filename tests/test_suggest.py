"""Suggestions that can be pasted into a shell."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from xray.suggest import override


@pytest.mark.parametrize(
    "name",
    [
        "normal", "COVID-19", "viral pneumonia", "0", "1.5", "-1", "true", "Null", "nan", "1e3",
        "a,b", "[a]", "{a: 1}", "a=b", "x\"y", "it's", "back\\slash", "ends with \\", "(1)", "",
        "é", "größe", "  spaces  ", "/data/x-rays", "~/x", "a:b", "no", "#1", "-", "@", "a\\\"b",
    ],
)  # fmt: skip
def test_an_override_can_be_pasted(name: str) -> None:
    parser = OverridesParser.create()
    [pasted] = shlex.split(override("data.groups.normal", ["normal", name]))
    parsed = parser.parse_override(pasted)
    assert parsed.key_or_group == "data.groups.normal"
    values = parsed.value()
    assert [getattr(v, "text", v) for v in values] == ["normal", name]
    [pasted] = shlex.split(override("data.root", name))
    value = parser.parse_override(pasted).value()
    assert getattr(value, "text", value) == name
