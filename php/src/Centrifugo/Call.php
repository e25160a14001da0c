<?php

declare(strict_types=1);

namespace PyRoadRunner\Centrifugo;

use PyRoadRunner\Worker;

/**
 * A call of Centrifugo. It needs exactly one of respond(), error(), disconnect() and fail().
 *
 * The fields of the request have the names of Centrifugo's documentation: $call->fields['user']. Absent ones have the
 * empty value of their type.
 */
final class Call
{
    private bool $answered = false;

    /**
     * @param string                      $type     connect, refresh, subscribe, publish, rpc, subrefresh, ...
     * @param array<string, mixed>        $fields   of the request; `data` and `meta` are texts, usually JSON
     * @param array<string, list<string>> $metadata of the call, names in lower case: headers that Centrifugo forwards
     */
    public function __construct(
        private readonly Worker $worker,
        public readonly string $type,
        public readonly array $fields,
        public readonly array $metadata,
    ) {
    }

    /**
     * @throws \JsonException                  the context is not JSON
     * @throws \UnexpectedValueException       the context is not that of a call
     * @throws \PyRoadRunner\ProtobufException the body is no message
     */
    public static function fromPayload(Worker $worker, string $context, string $body): self
    {
        $metadata = \json_decode($context, true, 512, JSON_THROW_ON_ERROR);
        $type = $metadata['type'][0] ?? null;
        if (!\is_string($type)) {
            throw new \UnexpectedValueException('the context has no type');
        }

        return new self($worker, $type, Messages::request($type, $body), $metadata);
    }

    /** A field of the request: user, channel, client, ... */
    public function __get(string $name): mixed
    {
        return $this->fields[$name] ?? throw new \LogicException("a call of type {$this->type} has no field {$name}");
    }

    public function __isset(string $name): bool
    {
        return isset($this->fields[$name]);
    }

    /** `data` as JSON; null if it is empty, or the type has none. */
    public function data(): mixed
    {
        $data = $this->fields['data'] ?? '';

        return $data === '' ? null : \json_decode($data, true, 512, JSON_THROW_ON_ERROR);
    }

    /** `meta` as JSON; null if it is empty, or the type has none. */
    public function meta(): mixed
    {
        $meta = $this->fields['meta'] ?? '';

        return $meta === '' ? null : \json_decode($meta, true, 512, JSON_THROW_ON_ERROR);
    }

    /** The first value of a metadata key; its name may be in any case. */
    public function header(string $name): ?string
    {
        return $this->metadata[\strtolower($name)][0] ?? null;
    }

    public function isAnswered(): bool
    {
        return $this->answered;
    }

    /**
     * The result, by names of fields. `data`, `info` and `meta` are sent as they are if they are strings, otherwise as
     * JSON.
     *
     * @param array<string, mixed> $result ['user' => '42', 'channels' => ['news'], 'data' => ['greeting' => 'hi']]
     */
    public function respond(array $result = []): void
    {
        $this->answer(Messages::result($this->type, $result));
    }

    /** An error for the client; codes of applications begin at 400. */
    public function error(int $code, string $message, bool $temporary = false): void
    {
        $this->answer(Messages::error($code, $message, $temporary));
    }

    /** Disconnects the client; codes of applications are 4000 to 4999. */
    public function disconnect(int $code, string $reason): void
    {
        $this->answer(Messages::disconnect($code, $reason));
    }

    /** The call has failed: Centrifugo logs it and treats it as an internal error. */
    public function fail(string $message): void
    {
        $this->claim();
        $this->worker->error($message);
    }

    private function answer(string $response): void
    {
        $this->claim();
        $this->worker->respond($response);
    }

    private function claim(): void
    {
        if ($this->answered) {
            throw new \LogicException("the call of type {$this->type} is answered already");
        }
        $this->answered = true;
    }
}
