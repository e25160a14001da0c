<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

/** One response. A body that is not a string is streamed: each piece is sent when the iterable yields it. */
final class Response
{
    /**
     * @param string|iterable<string>             $body
     * @param array<string, string|list<string>> $headers
     */
    public function __construct(
        public readonly int $status = 200,
        public readonly string|iterable $body = '',
        public readonly array $headers = [],
    ) {
    }

    /** @param array<string, string|list<string>> $headers */
    public static function text(string $body, int $status = 200, array $headers = []): self
    {
        return new self($status, $body, ['Content-Type' => 'text/plain; charset=utf-8'] + $headers);
    }

    /**
     * @param array<string, string|list<string>> $headers
     *
     * @throws \JsonException $data can't be encoded as JSON
     */
    public static function json(mixed $data, int $status = 200, array $headers = []): self
    {
        $body = json_encode($data, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);

        return new self($status, $body, ['Content-Type' => 'application/json'] + $headers);
    }
}
