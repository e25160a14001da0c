<?php

declare(strict_types=1);

namespace PyRoadRunner\Tcp;

/** What becomes of a connection after an event. */
final class Reply
{
    private function __construct(public readonly string $verb, public readonly string $body = '')
    {
    }

    /** Writes to the client and reads on. No delimiter is added. */
    public static function write(string $body): self
    {
        return new self('WRITE', $body);
    }

    /** Writes to the client and closes the connection. */
    public static function writeAndClose(string $body): self
    {
        return new self('WRITECLOSE', $body);
    }

    /** Reads on. */
    public static function read(): self
    {
        return new self('CONTINUE');
    }

    /** Closes the connection. */
    public static function close(): self
    {
        return new self('CLOSE');
    }
}
