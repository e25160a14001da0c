"""The ``grpc`` section: calls of gRPC clients to workers."""
