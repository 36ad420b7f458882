"""Pages of obligations."""
