"""Find the PHP library shipped with the server, for workers (``RR_PHP_LIBRARY``)."""

from __future__ import annotations

from pathlib import Path

from pyroadrunner.installation import bundle_folder

_PACKAGE = Path(__file__).parents[2]
_FOLDERS = (
    _PACKAGE / "php",  # installed from a wheel
    _PACKAGE.parents[1] / "php",  # an editable install of a checkout
)


def php_library() -> str:
    """Absolute path of the folder with ``autoload.php``, ``src/`` and ``composer.json``; empty if it is missing."""
    bundle = bundle_folder()  # its Python modules are in an archive, which PHP can't read
    for folder in (Path(bundle) / "php", *_FOLDERS) if bundle else _FOLDERS:
        if (folder / "autoload.php").is_file():
            return str(folder)
    return ""
