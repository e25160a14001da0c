<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** Address of a relay, as in RR_RELAY, to the relay itself. */
final class RelayFactory
{
    /**
     * @param string $address "pipes" (or empty), "tcp://host:port" or "unix://path"
     *
     * @throws RelayException nobody listens there, or it is no address
     */
    public static function create(string $address): Relay
    {
        return match (true) {
            $address === '', $address === 'pipes' => new StreamRelay(STDIN, STDOUT),
            str_starts_with($address, 'tcp://'), str_starts_with($address, 'unix://') => new SocketRelay($address),
            default => throw new RelayException("invalid relay \"{$address}\" (pipes, tcp://:6001, unix://file.sock)"),
        };
    }
}
