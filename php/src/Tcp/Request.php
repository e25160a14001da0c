<?php

declare(strict_types=1);

namespace PyRoadRunner\Tcp;

/** An event of a connection. */
final class Request
{
    /**
     * @param string $uuid       of the connection, the same in all its events
     * @param string $server     its name in .rr.yaml
     * @param string $remoteAddr host:port of the client; @ on a unix socket
     * @param string $body       of Data: what has arrived, with the delimiter; several messages, if they arrived together
     */
    public function __construct(
        public readonly Event $event,
        public readonly string $uuid,
        public readonly string $server,
        public readonly string $remoteAddr,
        public readonly string $body,
    ) {
    }

    /**
     * @throws \JsonException            the context is not JSON
     * @throws \UnexpectedValueException the context is not that of an event
     */
    public static function fromContext(string $context, string $body): self
    {
        $head = \json_decode($context, true, 512, JSON_THROW_ON_ERROR);
        $event = Event::tryFrom((string) ($head['event'] ?? ''));
        if ($event === null || !isset($head['uuid'])) {
            throw new \UnexpectedValueException('the context is not that of an event');
        }

        return new self(
            $event,
            (string) $head['uuid'],
            (string) ($head['server'] ?? ''),
            (string) ($head['remote_addr'] ?? ''),
            $body,
        );
    }
}
