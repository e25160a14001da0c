<?php

declare(strict_types=1);

namespace PyRoadRunner\Jobs;

use PyRoadRunner\Worker;

/** A job in its worker. It needs exactly one of ack(), nack(), requeue() and fail(). */
final class Task
{
    private const ACK = 2;
    private const NACK = 3;
    private const REQUEUE = 4;

    private bool $settled = false;

    /**
     * @param array<string, list<string>> $headers
     * @param string                       $queue   the broker's name of the queue; may be empty
     */
    public function __construct(
        private readonly Worker $worker,
        public readonly string $id,
        public readonly string $name,
        public readonly string $payload,
        public readonly array $headers,
        public readonly string $pipeline,
        public readonly string $driver,
        public readonly string $queue,
    ) {
    }

    /**
     * @throws \JsonException            the head is not JSON
     * @throws \UnexpectedValueException the head is not that of a job
     */
    public static function fromContext(Worker $worker, string $context, string $body): self
    {
        $head = \json_decode($context, true, 512, JSON_THROW_ON_ERROR);
        if (!isset($head['pipeline'])) {
            throw new \UnexpectedValueException('the context has no pipeline');
        }

        return new self(
            $worker,
            (string) ($head['id'] ?? ''),
            (string) ($head['job'] ?? ''),
            $body,
            $head['headers'] ?? [],
            (string) ($head['pipeline'] ?? ''),
            (string) ($head['driver'] ?? ''),
            (string) ($head['queue'] ?? ''),
        );
    }

    /** The first value of a header; its name may be in any case. */
    public function header(string $name): ?string
    {
        foreach ($this->headers as $key => $values) {
            if (\strcasecmp((string) $key, $name) === 0) {
                return $values[0] ?? null;
            }
        }

        return null;
    }

    /** How often the job has failed before. */
    public function failedAttempts(): int
    {
        return (int) $this->header('rr_attempts');
    }

    public function isSettled(): bool
    {
        return $this->settled;
    }

    /** The job is done. */
    public function ack(): void
    {
        $this->settle(self::ACK, []);
    }

    /** The job has failed: for good, or as one of its attempts. */
    public function nack(string $message, bool $redelivery = false, int $delay = 0): void
    {
        $this->settle(self::NACK, ['message' => $message, 'requeue' => $redelivery, 'delay_seconds' => $delay]);
    }

    /**
     * Puts the job back; that is no failed attempt.
     *
     * @param array<string, string|list<string>> $headers replace those with the same name
     */
    public function requeue(string $message, int $delay = 0, array $headers = []): void
    {
        $data = ['message' => $message, 'delay_seconds' => $delay];
        if ($headers !== []) {
            $data['headers'] = (object) \array_map(static fn (string|array $one): array => (array) $one, $headers);
        }
        $this->settle(self::REQUEUE, $data);
    }

    /** The attempt has failed: the server runs the job again as the pipeline's max_attempts and backoff say. */
    public function fail(string $message): void
    {
        $this->claim();
        $this->worker->error($message);
    }

    /** @param array<string, mixed> $data */
    private function settle(int $type, array $data): void
    {
        $this->claim();
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;
        $this->worker->respond(\json_encode(['type' => $type, 'data' => (object) $data], $flags));
    }

    private function claim(): void
    {
        if ($this->settled) {
            throw new \LogicException("the job {$this->id} is settled already");
        }
        $this->settled = true;
    }
}
