"""Builds the one file from its parts: ``tree`` assembles interpreter and packages, ``archive`` packs the tree behind
the launcher, ``components`` and ``sbom`` say what is in it, ``deb`` makes a Debian package of the same tree.

``scripts/onefile.sh`` runs it. Everything is reproducible: the same input gives the same bytes.
"""
