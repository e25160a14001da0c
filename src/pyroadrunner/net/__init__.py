"""Listening sockets: addresses, binding, socket activation, passing a port from one server to the next. It
contains no protocol.
"""
