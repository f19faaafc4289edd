"""The embedded teacher: a small image-text model trained on the spot on generated notes, for the demo only."""
