"""The notebooks in examples/ run from start to end."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
# The client and the kernel leave sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XRAY_ROOT", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)


def test_there_are_two_notebooks_without_stored_outputs():
    paths = sorted(EXAMPLES.glob("*.ipynb"))
    assert len(paths) == 2
    for path in paths:
        assert not any(cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells)
