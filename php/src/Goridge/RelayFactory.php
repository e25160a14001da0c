<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** Opens the relay of an address, as in RR_RELAY. */
final class RelayFactory
{
    /**
     * @param string $address "pipes" (or empty), "tcp://host:port" or "unix://path"
     *
     * @throws RelayException the connect failed, or the address is invalid
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
