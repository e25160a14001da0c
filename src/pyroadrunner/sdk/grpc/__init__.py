"""gRPC calls in a worker.

With the generated module of a ``.proto`` file::

    from pyroadrunner.sdk import grpc
    import greeter_pb2

    class Greeter:
        def Greet(self, request, call):
            return greeter_pb2.Answer(text=f"Hello, {request.name}!")

        def Count(self, request, call):  # returns (stream Number)
            for number in range(request.upto):
                yield greeter_pb2.Number(value=number)

    grpc.serve({greeter_pb2.DESCRIPTOR.services_by_name["Greeter"]: Greeter()})

With the name of the service instead of its descriptor (``{"greeter.Greeter": Greeter()}``), messages are bytes.
"""

from pyroadrunner.sdk.grpc.status import Code, GrpcError
from pyroadrunner.sdk.grpc.worker import Call, GrpcWorker, serve

__all__ = ["Call", "Code", "GrpcError", "GrpcWorker", "serve"]
