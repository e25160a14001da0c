<?php

declare(strict_types=1);

namespace PyRoadRunner\WebSocket;

/**
 * A client during one event. What its methods order happens when the event has been handled: first leave(), then join(),
 * then messages, publications, close().
 */
final class Connection
{
    /** @var mixed any JSON value; the next events of this connection get it back, whichever worker handles them */
    public mixed $state;

    private string $body = '';
    private bool $binary = false;
    private bool $hasBody = false;

    /** @var array<string, mixed> */
    private array $reply = [];

    /**
     * @param string                      $user         as identify() has named it; may be empty
     * @param string                      $uri          of the handshake; only with onConnect
     * @param array<string, list<string>> $headers      of the handshake, names in lower case; with other events only those that name the trace
     * @param list<string>                $subprotocols that the client offers; only with onConnect
     */
    public function __construct(
        public readonly string $id,
        public readonly string $user,
        mixed $state,
        public readonly string $remoteAddr = '',
        public readonly string $uri = '',
        public readonly string $query = '',
        public readonly array $headers = [],
        public readonly array $subprotocols = [],
    ) {
        $this->state = $state;
    }

    /** @param array<string, mixed> $context */
    public static function fromContext(array $context): self
    {
        return new self(
            (string) $context['connection'],
            (string) ($context['user'] ?? ''),
            $context['state'] ?? null,
            (string) ($context['remote_addr'] ?? ''),
            (string) ($context['uri'] ?? ''),
            (string) ($context['query'] ?? ''),
            $context['headers'] ?? [],
            $context['subprotocols'] ?? [],
        );
    }

    /** The first value of a header of the handshake; null = the client has not sent it. */
    public function header(string $name): ?string
    {
        return $this->headers[\strtolower($name)][0] ?? null;
    }

    /** Sends a message to this client. */
    public function send(string $data, bool $binary = false): void
    {
        if (!$this->hasBody && $data !== '') {
            [$this->body, $this->binary, $this->hasBody] = [$data, $binary, true];
        } else {
            $this->reply['send'][] = self::payload($data, $binary);
        }
    }

    /** Sends a message to another client of this server, if it is still connected. */
    public function sendTo(string $connection, string $data, bool $binary = false): void
    {
        $this->reply['send'][] = ['connection' => $connection] + self::payload($data, $binary);
    }

    /**
     * Publishes a message to all clients that follow one of these topics.
     *
     * @param string|list<string> $topics
     * @param bool                $others whether this client does not get it
     */
    public function publish(string|array $topics, string $data, bool $binary = false, bool $others = false): void
    {
        $this->reply['publish'][] = ['topics' => (array) $topics, 'others' => $others] + self::payload($data, $binary);
    }

    /**
     * Lets this client follow a topic.
     *
     * @param bool   $envelope whether its publications come as JSON objects with topic, offset, epoch and data
     * @param int    $offset   with $epoch: what the client had before it lost its connection; it gets what came since
     */
    public function join(string $topic, bool $envelope = false, int $offset = 0, string $epoch = ''): void
    {
        $this->reply['join'][] = ['topic' => $topic, 'envelope' => $envelope, 'offset' => $offset, 'epoch' => $epoch];
    }

    public function leave(string $topic): void
    {
        $this->reply['leave'][] = $topic;
    }

    /** Names the user of this connection; presence shows it with $info. */
    public function identify(string|int $user, mixed $info = null): void
    {
        $this->reply['user'] = (string) $user;
        $this->reply['info'] = $info;
    }

    /** Closes the connection: 1000, 1008, or 3000 to 4999. */
    public function close(int $code = 1000, string $reason = ''): void
    {
        $this->reply['close'] = ['code' => $code, 'reason' => $reason];
    }

    /**
     * Refuses the handshake; only in onConnect.
     *
     * @param array<string, string|list<string>> $headers
     */
    public function reject(int $status = 403, string $body = '', array $headers = []): void
    {
        $this->reply = ['accept' => false, 'status' => $status, 'headers' => (object) $headers];
        [$this->body, $this->binary, $this->hasBody] = [$body, false, true];
    }

    /** Chooses one of the subprotocols that the client offers; only in onConnect. */
    public function useSubprotocol(string $name): void
    {
        $this->reply['subprotocol'] = $name;
    }

    /** @return array{string, string} body and context of the reply frame */
    public function reply(): array
    {
        $reply = $this->reply;
        if ($this->binary) {
            $reply['binary'] = true;
        }
        if ($this->state !== null) {
            $reply['state'] = $this->state;
        }
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;

        return [$this->body, $reply === [] ? '{}' : \json_encode($reply, $flags)];
    }

    /** @return array<string, string> */
    private static function payload(string $data, bool $binary): array
    {
        return $binary ? ['base64' => \base64_encode($data)] : ['data' => $data];
    }
}
