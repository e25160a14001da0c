<?php

declare(strict_types=1);

namespace PyRoadRunner\WebSocket;

use PyRoadRunner\Rpc\Rpc;

/**
 * The server's WebSocket connections, from any worker: publish, send, see and close.
 *
 * Every method throws RpcException if the server replies with an error, and RelayException if it can't be reached.
 */
final class WebSockets
{
    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** The connections of the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /**
     * Publishes a message to all clients that follow one of these topics.
     *
     * @param string|list<string> $topics
     * @param string              $except id of a connection that does not get it
     *
     * @return array<string, array{receivers: int, offset: int, epoch: string}> by topic
     */
    public function publish(string|array $topics, string $data, bool $binary = false, string $except = ''): array
    {
        $request = ['topics' => (array) $topics, 'except_connection' => $except] + self::payload($data, $binary);

        return $this->rpc->call('websocket.Publish', $request)['topics'];
    }

    /** Sends a message to one connection. */
    public function send(string $connection, string $data, bool $binary = false): void
    {
        $this->rpc->call('websocket.Send', ['connection' => $connection] + self::payload($data, $binary));
    }

    /** Sends a message to all connections of a user; returns to how many. */
    public function sendToUser(string $user, string $data, bool $binary = false): int
    {
        return $this->rpc->call('websocket.Send', ['user' => $user] + self::payload($data, $binary))['receivers'];
    }

    /** Closes a connection. */
    public function disconnect(string $connection, int $code = 1000, string $reason = ''): void
    {
        $this->rpc->call('websocket.Disconnect', ['connection' => $connection, 'code' => $code, 'reason' => $reason]);
    }

    /** Closes all connections of a user; returns how many. */
    public function disconnectUser(string $user, int $code = 1000, string $reason = ''): int
    {
        return $this->rpc->call('websocket.Disconnect', ['user' => $user, 'code' => $code, 'reason' => $reason])['closed'];
    }

    /** @return list<array{user: string, info: mixed, connections: list<string>}> who follows a topic */
    public function presence(string $topic): array
    {
        return $this->rpc->call('websocket.Presence', ['topic' => $topic]);
    }

    /** @return list<array<string, mixed>> open connections, up to 1,000 */
    public function connections(string $topic = '', string $user = ''): array
    {
        return $this->rpc->call('websocket.List', ['topic' => $topic, 'user' => $user]);
    }

    /** @return array<string, string> */
    private static function payload(string $data, bool $binary): array
    {
        return $binary ? ['base64' => \base64_encode($data)] : ['data' => $data];
    }
}
