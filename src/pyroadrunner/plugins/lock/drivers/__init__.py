"""The drivers that keep the locks. Only the configured one is imported."""
