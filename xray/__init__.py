"""Fine-tune VGG16 on chest X-rays and show where the evidence lies."""

import time

STARTED = time.perf_counter()
"""When the command began, but for Python's own start; seconds."""
