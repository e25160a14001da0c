<?php

declare(strict_types=1);

namespace PyRoadRunner\WebSocket;

/** What an application does with its clients; override what it needs. An exception closes the connection with 1011. */
abstract class Handler
{
    /** A client wants to connect: join topics, name the user, or reject it. */
    public function onConnect(Connection $connection): void
    {
    }

    /** A message has arrived. */
    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
    }

    /** The client is gone: nothing can be sent to it any more. */
    public function onClose(Connection $connection, int $code, string $reason): void
    {
    }
}
