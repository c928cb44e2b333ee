"""Structure of the code: length of functions, and the import contract."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 40


def functions(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of lines, with the docstring, of each function."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                name = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                yield name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("folder", ["xray", "benchmarks"])
def test_no_function_has_more_than_40_lines(folder: str) -> None:
    lines = dict(functions(folder))
    assert lines
    assert {name: n for name, n in lines.items() if n > MAX_LINES} == {}


def test_import_contract_contains_every_package_and_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = {
        name.strip().removeprefix("xray.")
        for contract in contracts
        if contract["type"] == "layers"
        for layer in contract["layers"]
        for name in layer.replace("|", ":").split(":")
    }
    present = {
        path.stem
        for path in (ROOT / "xray").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("_")
    }
    assert present - layers == set()
