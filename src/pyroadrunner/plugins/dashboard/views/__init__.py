"""The pages as data: those of the dashboard itself, and those that plugins offer."""
