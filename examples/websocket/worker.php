<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;
use PyRoadRunner\WebSocket\Connection;
use PyRoadRunner\WebSocket\Handler;
use PyRoadRunner\WebSocket\WebSocketWorker;

final class Chat extends Handler
{
    public function onConnect(Connection $connection): void
    {
        parse_str($connection->query, $query);
        $name = (string) ($query['name'] ?? '');
        if ($name === '') {
            $connection->reject(403, "say who you are: ?name=...\n");

            return;
        }
        $connection->identify($name);
        // A page that lost its connection says where it was, and gets what it missed.
        $connection->join('room.lobby', envelope: true, offset: (int) ($query['offset'] ?? 0), epoch: $query['epoch'] ?? '');
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $message = ['from' => $connection->user, 'text' => $data];
        $connection->publish('room.lobby', json_encode($message, JSON_THROW_ON_ERROR));
    }
}

// The server starts this file once for each pool, and RR_MODE names the plugin.
if (getenv('RR_MODE') === 'websocket') {
    WebSocketWorker::create()->run(new Chat());
    exit;
}

$page = file_get_contents(__DIR__ . '/chat.html');
Server::run(static fn (Request $request): Response => new Response(200, $page, ['Content-Type' => 'text/html']));
