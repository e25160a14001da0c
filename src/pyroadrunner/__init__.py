"""RoadRunner in Python: keeps PHP and Python workers alive between requests and feeds them over goridge."""

from pyroadrunner.version import __version__

__all__ = ["__version__"]
