<?php

declare(strict_types=1);

namespace PyRoadRunner\Tcp;

/** Handles the events of connections: see Server. A string is written to the client, null reads on. */
interface Handler
{
    public function onConnected(Request $request): Reply|string|null;

    public function onData(Request $request): Reply|string|null;

    public function onClose(Request $request): void;
}
