<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;
use PyRoadRunner\WebSocket\Connection;
use PyRoadRunner\WebSocket\Handler;
use PyRoadRunner\WebSocket\WebSockets;
use PyRoadRunner\WebSocket\WebSocketWorker;

final class Chat extends Handler
{
    private const ROOM = 'room.lobby'; // messages, with a history
    private const PEOPLE = 'people.lobby'; // who comes, goes and types

    public function __construct(private readonly WebSockets $sockets)
    {
    }

    public function onConnect(Connection $connection): void
    {
        parse_str($connection->query, $query);
        $name = trim((string) ($query['name'] ?? ''));
        if ($name === '') {
            $connection->reject(403, "say who you are: ?name=...\n");

            return;
        }
        $connection->identify($name);
        // A page that lost its connection says where it was, and gets what it missed.
        $connection->join(self::ROOM, envelope: true, offset: (int) ($query['offset'] ?? 0), epoch: $query['epoch'] ?? '');
        $connection->join(self::PEOPLE);
    }

    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $message = json_decode($data, true);
        if (isset($message['text'])) {
            $this->publish($connection, self::ROOM, ['from' => $connection->user, 'text' => $message['text']]);
        } elseif (isset($message['typing'])) {
            $this->publish($connection, self::PEOPLE, ['typing' => $connection->user], others: true);
        } elseif (isset($message['hello'])) {
            $connection->send(json_encode(['people' => $this->people()], JSON_THROW_ON_ERROR));
            $this->publish($connection, self::PEOPLE, ['joined' => $connection->user], others: true);
        }
    }

    public function onClose(Connection $connection, int $code, string $reason): void
    {
        if (!in_array($connection->user, $this->people(), true)) { // and not in another tab
            $this->publish($connection, self::PEOPLE, ['left' => $connection->user]);
        }
    }

    /** @return list<string> */
    private function people(): array
    {
        return array_column($this->sockets->presence(self::PEOPLE), 'user');
    }

    private function publish(Connection $connection, string $topic, array $message, bool $others = false): void
    {
        $connection->publish($topic, json_encode($message, JSON_THROW_ON_ERROR), others: $others);
    }
}

// The server starts this file once for each pool, and RR_MODE names the plugin.
if (getenv('RR_MODE') === 'websocket') {
    WebSocketWorker::create()->run(new Chat(WebSockets::create()));
    exit;
}

$page = file_get_contents(__DIR__ . '/chat.html');
Server::run(static fn (Request $request): Response => new Response(200, $page, ['Content-Type' => 'text/html; charset=utf-8']));
