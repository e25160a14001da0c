<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Worker;

/** HTTP requests and answers over a worker. */
final class HttpWorker
{
    private const HEAD_JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;

    /** Whether the head of the request at hand was protobuf (RoadRunner's own choice); the answer's is the same. */
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
     * Waits for the next request; null when it is time to exit. A context that cannot be read is answered with an
     * error, and the wait goes on.
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
                $this->worker->error('cannot read the request: ' . $e->getMessage());
            }
        }

        return null;
    }

    /**
     * Answers the request. A body that is not a string is streamed; it is dropped when the client goes away. What it
     * throws before its first piece can still be answered with an error; later the client's connection is cut.
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
     * An answer whose pieces come from somewhere else: call the result with each piece, and with null at the end. It
     * returns false once the client is gone; what is sent then is dropped.
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
                $head = ''; // the head travels once, with the first piece
            }

            return true;
        };
    }

    /**
     * Sends 103 Early Hints ahead of the answer. Its headers are repeated in the answer by the server.
     *
     * @param array<string, string|list<string>> $headers usually Link
     */
    public function respondEarlyHints(array $headers): void
    {
        $this->worker->stream('', $this->head(103, $headers));
    }

    /** Answers that the request failed: status 500, and the text in the server's log. */
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
