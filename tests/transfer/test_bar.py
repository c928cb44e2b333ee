import pytest
from rich.console import Console

from xray.transfer import bar
from xray.transfer.bar import byte_bar


@pytest.fixture
def screen(monkeypatch) -> Console:
    console = Console(record=True, force_terminal=True, width=120)
    monkeypatch.setattr("rich.progress.get_console", lambda: console)
    return console


@pytest.mark.parametrize(("silent", "words"), [(60.0, ""), (-1.0, "5.1/10.2 kB")])
def test_bar_is_shown_for_long_transfers_only(screen, monkeypatch, silent, words):
    monkeypatch.setattr(bar, "_SILENT_S", silent)
    with byte_bar("set.zip", 10240, 100) as show:
        show(5120)
    text = screen.export_text()
    assert words in text
    assert bool(text.strip()) == bool(words)
