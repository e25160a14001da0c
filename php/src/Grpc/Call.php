<?php

declare(strict_types=1);

namespace PyRoadRunner\Grpc;

/** One call: what the client has sent besides its message, and the metadata of the response. */
final class Call
{
    private const BASE64 = ':base64';

    /** @var array<string, list<string>> */
    private array $headers = [];

    /** @var array<string, list<string>> */
    private array $trailers = [];

    private bool $headersSent = false;
    private readonly float $began;

    /**
     * @param string                      $service  full name: package.Service
     * @param array<string, list<string>> $metadata of the client; names in lower case
     */
    public function __construct(
        public readonly string $service,
        public readonly string $method,
        public readonly array $metadata,
    ) {
        $this->began = \microtime(true);
    }

    /**
     * @throws \JsonException            the head is not JSON
     * @throws \UnexpectedValueException the head is not that of a call
     */
    public static function fromContext(string $context): self
    {
        $head = \json_decode($context, true, 512, JSON_THROW_ON_ERROR);
        if (!isset($head['service'], $head['method'])) {
            throw new \UnexpectedValueException('the context has no service and method');
        }

        return new self((string) $head['service'], (string) $head['method'], $head['context'] ?? []);
    }

    /** The first value of the client's metadata with this name; binary (-bin) values are decoded. */
    public function header(string $name): ?string
    {
        return $this->values($name)[0] ?? null;
    }

    /** @return list<string> all values with this name */
    public function values(string $name): array
    {
        $name = \strtolower($name);
        if (isset($this->metadata[$name . self::BASE64])) {
            return \array_map(static fn (string $one): string => (string) \base64_decode($one), $this->metadata[$name . self::BASE64]);
        }

        return $this->metadata[$name] ?? [];
    }

    /** Address of the client: ip:port. */
    public function peer(): string
    {
        return $this->metadata[':peer.address'][0] ?? '';
    }

    /** Seconds until the client gives the call up; null = it has set no deadline. */
    public function remaining(): ?float
    {
        $timeout = $this->metadata[':timeout-ms'][0] ?? null;

        return $timeout === null ? null : \max(0.0, $timeout / 1000 - (\microtime(true) - $this->began));
    }

    /** Adds metadata before the response; of a streamed response, before its first message. */
    public function addHeader(string $name, string $value): void
    {
        if ($this->headersSent) {
            throw new \LogicException('the headers were sent with the first message');
        }
        self::add($this->headers, $name, $value);
    }

    /** Adds metadata behind the response. */
    public function addTrailer(string $name, string $value): void
    {
        self::add($this->trailers, $name, $value);
    }

    /** The context of a frame with a message: the headers, once. */
    public function messageContext(): string
    {
        if ($this->headersSent || $this->headers === []) {
            $this->headersSent = true;

            return '';
        }
        $this->headersSent = true;

        return self::encode(['headers' => self::encode($this->headers)]);
    }

    /** The context of the last frame. */
    public function lastContext(?string $error = null): string
    {
        $context = [];
        if (!$this->headersSent && $this->headers !== []) {
            $context['headers'] = self::encode($this->headers);
        }
        if ($this->trailers !== [] || $context !== []) {
            $context['trailers'] = self::encode($this->trailers);
        }
        if ($error !== null) {
            $context += ['headers' => '{}', 'error' => $error];
        }
        $this->headersSent = true;

        return $context === [] ? '' : self::encode($context);
    }

    /** @param array<string, list<string>> $metadata */
    private static function add(array &$metadata, string $name, string $value): void
    {
        $name = \strtolower($name);
        if (\str_ends_with($name, '-bin')) {
            $metadata[$name . self::BASE64][] = \base64_encode($value);
        } else {
            $metadata[$name][] = $value;
        }
    }

    /** @param array<mixed> $value */
    private static function encode(array $value): string
    {
        return \json_encode((object) $value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
    }
}
