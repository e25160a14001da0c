<?php

declare(strict_types=1);

namespace PyRoadRunner\Tcp;

use PyRoadRunner\Rpc\Rpc;

/**
 * The server's TCP connections, reached at any time by their uuid.
 *
 * Every method throws RpcException if the server replies with an error, and RelayException if it can't be reached.
 */
final class Connections
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
     * Not in RoadRunner.
     *
     * @return bool false: the connection is unknown or closing, or its client does not read
     */
    public function write(string $uuid, string $data, bool $close = false): bool
    {
        return $this->rpc->call('tcp.Write', ['uuid' => $uuid, 'data' => \base64_encode($data), 'close' => $close]);
    }

    /** Closes a connection; a worker gets its Close event. */
    public function close(string $uuid): void
    {
        $this->rpc->call('tcp.Close', $uuid);
    }

    /**
     * Not in RoadRunner.
     *
     * @param string $server empty: the connections of all servers
     *
     * @return list<array{uuid: string, server: string, remote_addr: string, state: string, age: float, received: int,
     *                    sent: int, events: int}>
     */
    public function list(string $server = ''): array
    {
        return $this->rpc->call('tcp.List', $server);
    }
}
