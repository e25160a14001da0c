<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

/** One HTTP request, as parsed by the server. */
final class Request
{
    /**
     * @param string                           $remoteAddr address of the client, without port
     * @param string                           $protocol   "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0"
     * @param string                           $uri        absolute, as requested
     * @param array<string, list<string>>      $headers    names as in "Content-Type"; without Host
     * @param array<string, string>            $cookies    decoded
     * @param array<mixed>                     $query      rawQuery by PHP's rules
     * @param string                           $rawQuery   the part after the "?", undecoded
     * @param array<mixed>|null                $parsed     fields of a form; null if the request is not a form
     * @param string                           $body       the raw body; for a form its fields as JSON
     * @param array<UploadedFile|array<mixed>> $uploads    files by field name, nested according to the names
     * @param array<string, string>            $attributes set by the server's middleware
     */
    public function __construct(
        public readonly string $remoteAddr,
        public readonly string $protocol,
        public readonly string $method,
        public readonly string $uri,
        public readonly array $headers = [],
        public readonly array $cookies = [],
        public readonly array $query = [],
        public readonly string $rawQuery = '',
        public readonly ?array $parsed = null,
        public readonly string $body = '',
        public readonly array $uploads = [],
        public readonly array $attributes = [],
    ) {
    }

    /**
     * Reads the context of a request, in JSON.
     *
     * @throws \JsonException       the context or a form's body is not JSON
     * @throws \UnexpectedValueException the context lacks required fields
     */
    public static function fromContext(string $context, string $body): self
    {
        return self::fromHead(\json_decode($context, true, 512, JSON_THROW_ON_ERROR), $body);
    }

    /**
     * Reads the context of a request, in protobuf.
     *
     * @throws \JsonException       the uploads or a form's body are not JSON
     * @throws \UnexpectedValueException the context is not protobuf, or lacks required fields
     */
    public static function fromProtobuf(string $context, string $body): self
    {
        $head = ProtobufHead::decode($context);
        if ($head['method'] === '' || $head['uri'] === '') {
            throw new \UnexpectedValueException('the context of the request is incomplete');
        }

        return self::fromHead($head, $body);
    }

    /** The values of a header joined with ", ", ignoring the case of its name; '' if it is absent. */
    public function header(string $name): string
    {
        // The server writes names as in "Content-Type", so the first lookup nearly always succeeds.
        $values = $this->headers[\ucwords(\strtolower($name), '-')] ?? null;
        if ($values === null) {
            $values = \array_change_key_case($this->headers)[\strtolower($name)] ?? [];
        }

        return \implode(', ', $values);
    }

    /** The path of the uri, still percent-encoded, at least "/". */
    public function path(): string
    {
        $start = \strpos($this->uri, '/', (int) \strpos($this->uri, '://') + 3);
        if ($start === false) {
            return '/';
        }

        return \substr($this->uri, $start, \strcspn($this->uri, '?', $start));
    }

    /** @param mixed $head decoded, with the keys of the JSON form */
    private static function fromHead(mixed $head, string $body): self
    {
        if (!isset($head['remoteAddr'], $head['protocol'], $head['method'], $head['uri'])) {
            throw new \UnexpectedValueException('the context of the request is incomplete');
        }
        $rawQuery = $head['rawQuery'] ?? '';
        $query = [];
        if ($rawQuery !== '') {
            \parse_str($rawQuery, $query);
        }
        $parsed = null;
        if ($head['parsed'] ?? false) {
            $parsed = $body === '' ? [] : \json_decode($body, true, 512, JSON_THROW_ON_ERROR);
        }

        return new self(
            $head['remoteAddr'],
            $head['protocol'],
            $head['method'],
            $head['uri'],
            $head['headers'] ?? [],
            $head['cookies'] ?? [],
            $query,
            $rawQuery,
            $parsed,
            $body,
            empty($head['uploads']) ? [] : UploadedFile::fromTree($head['uploads']),
            $head['attributes'] ?? [],
        );
    }
}
