import logging
import re
import time
from types import SimpleNamespace

from xray.training.callbacks.first_step import FirstStep


def test_time_to_the_first_step_is_logged_once(caplog):
    caplog.set_level(logging.INFO)
    callback = FirstStep(time.perf_counter() - 12)
    for step in range(3):
        callback.on_train_batch_start(SimpleNamespace(is_global_zero=True), None, None, step)
    (message,) = caplog.messages
    assert 12.0 <= float(re.fullmatch(r"first step after ([\d.]+) s", message)[1]) < 13
