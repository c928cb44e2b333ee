"""Where the evidence lies: Grad-CAM, overlays and their callback."""
