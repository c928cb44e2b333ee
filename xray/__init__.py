"""Fine-tune VGG16 on chest X-rays and show where the evidence lies."""
