"""Where claims and history are kept: a module each. A client library is imported only in its store."""
