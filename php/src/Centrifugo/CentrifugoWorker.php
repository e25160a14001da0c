<?php

declare(strict_types=1);

namespace PyRoadRunner\Centrifugo;

use PyRoadRunner\Goridge\RelayException;
use PyRoadRunner\ProtobufException;
use PyRoadRunner\Worker;

/** Calls of Centrifugo's proxy in a worker. */
final class CentrifugoWorker
{
    public function __construct(public readonly Worker $worker)
    {
    }

    /** The worker of the server that started this process. */
    public static function create(): self
    {
        return new self(Worker::create());
    }

    /** Waits for the next call; null when it is time to exit. */
    public function waitCall(): ?Call
    {
        while (($payload = $this->worker->waitPayload()) !== null) {
            try {
                return Call::fromPayload($this->worker, $payload->context, $payload->body);
            } catch (\JsonException|ProtobufException|\UnexpectedValueException $e) {
                $this->worker->unreadable('call', $e->getMessage(), 'centrifuge');
            }
        }

        return null;
    }

    /**
     * Calls the handler of each call's type until the server stops the worker.
     *
     * A handler answers the call, or returns the fields of its result: ['user' => '42']. An exception, or a type without
     * a handler, makes the call fail; Centrifugo then treats it as an internal error.
     *
     * @param array<string, callable(Call): ?array<string, mixed>> $handlers by type: connect, refresh, subscribe, ...
     */
    public function run(array $handlers): void
    {
        try {
            while (($call = $this->waitCall()) !== null) {
                try {
                    $handler = $handlers[$call->type] ?? throw new \RuntimeException(
                        "no handler for the call {$call->type}; there are " . \implode(', ', \array_keys($handlers)),
                    );
                    $result = $handler($call);
                    if (!$call->isAnswered()) {
                        $call->respond($result ?? []);
                    }
                } catch (RelayException $e) {
                    throw $e;
                } catch (\Throwable $e) {
                    $call->isAnswered() ? \fwrite(STDERR, $e . "\n") : $call->fail((string) $e);
                }
                unset($call, $result, $e); // frees what the call held before the wait, not after it
            }
        } catch (RelayException) {
            // The server exited without a stop.
        }
    }
}
