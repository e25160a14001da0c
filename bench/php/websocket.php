<?php

declare(strict_types=1);

// A WebSocket worker that sends each message back, and a page for requests.

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;
use PyRoadRunner\WebSocket\Connection;
use PyRoadRunner\WebSocket\Handler;
use PyRoadRunner\WebSocket\WebSocketWorker;

require __DIR__ . '/../../php/autoload.php';

if (getenv('RR_MODE') === 'websocket') {
    WebSocketWorker::create()->run(new class extends Handler {
        public function onMessage(Connection $connection, string $data, bool $binary): void
        {
            $connection->send($data);
        }
    });
    exit;
}

Server::run(static fn (Request $request): Response => new Response(200, "Hello\n"));
