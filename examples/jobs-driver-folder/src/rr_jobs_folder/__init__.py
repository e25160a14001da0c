"""A driver for the `jobs` of pyroadrunner that keeps each job in a file: an example of a driver in its own package."""
