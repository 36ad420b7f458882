"""Pages of the frame."""
