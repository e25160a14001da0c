<?php

declare(strict_types=1);

namespace PyRoadRunner\Grpc;

use PyRoadRunner\Protobuf;

/** Ends a call with a status. */
final class GrpcException extends \RuntimeException
{
    /** @var list<string> serialized google.protobuf.Any messages */
    private array $details = [];

    public function __construct(int $code, string $message, ?\Throwable $previous = null)
    {
        parent::__construct($message, $code, $previous);
    }

    /** Adds a detail for the client: the full name of a message, such as google.rpc.ErrorInfo, and its bytes. */
    public function with(string $type, string $message): self
    {
        $this->details[] = Protobuf::bytes(1, "type.googleapis.com/{$type}") . Protobuf::bytes(2, $message);

        return $this;
    }

    /** The serialized google.rpc.Status. */
    public function status(): string
    {
        $status = Protobuf::int(1, $this->getCode()) . Protobuf::bytes(2, $this->getMessage());
        foreach ($this->details as $detail) {
            $status .= Protobuf::bytes(3, $detail);
        }

        return $status;
    }
}
