"""Who keeps the locks. A driver is imported only where it is chosen."""
