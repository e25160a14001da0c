<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** Frames over one socket: tcp://host:port or unix://path. */
final class SocketRelay extends StreamRelay
{
    private const ATTEMPTS = 11; // 100 microseconds apart, as in RoadRunner's own PHP client

    /** @throws RelayException the connect failed */
    public function __construct(public readonly string $address)
    {
        $context = stream_context_create(['socket' => ['tcp_nodelay' => str_starts_with($address, 'tcp://')]]);
        $socket = false;
        $reason = '';
        for ($attempt = 0; $socket === false && $attempt < self::ATTEMPTS; ++$attempt) {
            if ($attempt > 0) {
                usleep(100);
            }
            $socket = @stream_socket_client($address, $code, $reason, null, STREAM_CLIENT_CONNECT, $context);
        }
        if ($socket === false) {
            throw new RelayException("cannot connect to {$address}: {$reason}");
        }
        stream_set_timeout($socket, -1); // PHP would give up reading after default_socket_timeout
        parent::__construct($socket, $socket);
    }

    public function wantsPing(): bool
    {
        return false;
    }
}
