<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Worker;

/** HTTP requests and responses in a worker. */
final class HttpWorker
{
    private const HEAD_JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;

    /** Whether the head of the current request was protobuf (RoadRunner's default); the response uses the same. */
    private bool $protobuf = false;

    public function __construct(public readonly Worker $worker)
    {
    }

    /** The HTTP worker of the server that started this process. */
    public static function create(): self
    {
        return new self(Worker::create());
    }

    /**
     * Waits for the next request; null when it is time to exit. A malformed context gets an error response, and the
     * wait continues.
     */
    public function waitRequest(): ?Request
    {
        while (($payload = $this->worker->waitPayload()) !== null) {
            $this->protobuf = ($payload->codec & Frame::PROTO) !== 0;
            try {
                return $this->protobuf
                    ? Request::fromProtobuf($payload->context, $payload->body)
                    : Request::fromContext($payload->context, $payload->body);
            } catch (\JsonException|\UnexpectedValueException $e) {
                $this->worker->unreadable('request', $e->getMessage(), 'http');
            }
        }

        return null;
    }

    /**
     * Sends the response. A body that is not a string is streamed, until the client disconnects. If it throws before
     * its first piece, error() still works; later the server closes the client's connection.
     *
     * @param string|iterable<string>             $body
     * @param array<string, string|list<string>> $headers
     *
     * @throws \JsonException a header cannot be encoded
     */
    public function respond(int $status, string|iterable $body = '', array $headers = []): void
    {
        if (\is_string($body)) {
            $this->worker->respond($body, $this->head($status, $headers));

            return;
        }
        $send = $this->pieces($status, $headers);
        foreach ($body as $piece) {
            if (!$send($piece)) {
                return;
            }
        }
        $send(null);
    }

    /**
     * A response whose pieces the caller sends: call the result with each piece, and with null at the end. It returns
     * false once the client has disconnected; further pieces are dropped.
     *
     * @param array<string, string|list<string>> $headers
     *
     * @return \Closure(?string): bool
     *
     * @throws \JsonException a header cannot be encoded
     */
    public function pieces(int $status, array $headers = []): \Closure
    {
        $head = $this->head($status, $headers);

        return function (?string $piece) use (&$head): bool {
            if ($piece === null) {
                $this->worker->respond('', $head);
            } elseif ($piece !== '') {
                if (!$this->worker->stream($piece, $head)) {
                    return false;
                }
                $head = ''; // the head is sent only once, with the first piece
            }

            return true;
        };
    }

    /**
     * Sends 103 Early Hints before the response. The server repeats these headers in the response.
     *
     * @param array<string, string|list<string>> $headers usually Link
     */
    public function respondEarlyHints(array $headers): void
    {
        $this->worker->stream('', $this->head(103, $headers));
    }

    /** Reports that the request failed: status 500, and the text in the server's log. */
    public function error(string $text): void
    {
        $this->worker->error($text);
    }

    /** @param array<string, string|list<string>> $headers */
    private function head(int $status, array $headers): string
    {
        if ($this->protobuf) {
            return ProtobufHead::encode($status, $headers);
        }
        if ($headers === []) {
            return '{"status":' . $status . ',"headers":{}}';
        }
        foreach ($headers as $name => $values) {
            $headers[$name] = \is_array($values) ? $values : [$values];
        }

        return \json_encode(['status' => $status, 'headers' => (object) $headers], self::HEAD_JSON);
    }
}
