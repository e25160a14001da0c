<?php

declare(strict_types=1);

namespace PyRoadRunner\WebSocket;

use PyRoadRunner\Goridge\RelayException;
use PyRoadRunner\Worker;

/** Events of WebSocket clients in a worker. */
final class WebSocketWorker
{
    public function __construct(public readonly Worker $worker)
    {
    }

    /** The worker of the server that started this process. */
    public static function create(): self
    {
        return new self(Worker::create());
    }

    /** Calls the handler for each event until the server stops the worker. */
    public function run(Handler $handler): void
    {
        try {
            while (($payload = $this->worker->waitPayload()) !== null) {
                try {
                    $context = \json_decode($payload->context, true, 512, JSON_THROW_ON_ERROR);
                    if (!isset($context['event'], $context['connection'])) {
                        throw new \UnexpectedValueException('the context has no event');
                    }
                } catch (\JsonException|\UnexpectedValueException $e) {
                    $this->worker->unreadable('event', $e->getMessage(), 'websocket');
                    continue;
                }
                $this->handle($handler, $context, $payload->body);
                unset($payload, $context); // frees what the event held before the wait, not after it
            }
        } catch (RelayException) {
            // The server exited without a stop.
        }
    }

    /** @param array<string, mixed> $context */
    private function handle(Handler $handler, array $context, string $body): void
    {
        try {
            $connection = Connection::fromContext($context);
            match ($context['event']) {
                'connect' => $handler->onConnect($connection),
                'message' => $handler->onMessage($connection, $body, (bool) ($context['binary'] ?? false)),
                'close' => $handler->onClose($connection, (int) ($context['code'] ?? 1006), (string) ($context['reason'] ?? '')),
                default => null,
            };
            [$body, $reply] = $connection->reply();
        } catch (RelayException $e) {
            throw $e;
        } catch (\Throwable $e) {
            $this->worker->error((string) $e);

            return;
        }
        $this->worker->respond($body, $reply);
    }
}
