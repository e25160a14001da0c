"""The ``mercure`` plugin: a Mercure hub on the HTTP port, in both generations of the protocol (0.x and 1.0).

``endpoint.py`` answers requests: ``publish.py`` reads an update, ``subscription.py`` what a subscriber asks for,
``credentials.py`` and ``tokens.py`` decide what a token permits, ``documents.py`` is the API of subscriptions.
``hub.py`` knows the subscribers of this server and gives them updates; ``stream.py`` writes to one of them. A store
(``stores/contract.py``) numbers updates, keeps their history and carries them between servers. ``selectors.py`` and
``template.py`` match topics.
"""
