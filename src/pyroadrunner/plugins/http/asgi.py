"""Where these words were before other doors needed them; import them from ``pyroadrunner.asgi``."""

from pyroadrunner.asgi import ATTRIBUTES, ASGIApp, Message, Receive, Scope, Send

__all__ = ["ATTRIBUTES", "ASGIApp", "Message", "Receive", "Scope", "Send"]
