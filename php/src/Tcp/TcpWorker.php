<?php

declare(strict_types=1);

namespace PyRoadRunner\Tcp;

use PyRoadRunner\Worker;

/** Events of connections in a worker. Each needs exactly one reply, also Close, whose reply has no effect. */
final class TcpWorker
{
    public function __construct(public readonly Worker $worker)
    {
    }

    /** The worker of the server that started this process. */
    public static function create(): self
    {
        return new self(Worker::create());
    }

    /** Waits for the next event; null when it is time to exit. */
    public function waitRequest(): ?Request
    {
        while (($payload = $this->worker->waitPayload()) !== null) {
            try {
                return Request::fromContext($payload->context, $payload->body);
            } catch (\JsonException|\UnexpectedValueException $e) {
                $this->worker->unreadable('event', $e->getMessage(), 'tcp');
            }
        }

        return null;
    }

    public function reply(Reply $reply): void
    {
        $this->worker->respond($reply->body, $reply->verb);
    }

    /** Writes to the client, and reads on or closes. */
    public function respond(string $body, bool $close = false): void
    {
        $this->reply($close ? Reply::writeAndClose($body) : Reply::write($body));
    }

    /** Reads on. */
    public function read(): void
    {
        $this->reply(Reply::read());
    }

    /** Closes the connection. */
    public function close(): void
    {
        $this->reply(Reply::close());
    }

    /** Reports that the event failed: the connection is closed, and the text is in the server's log. */
    public function error(string $text): void
    {
        $this->worker->error($text);
    }
}
