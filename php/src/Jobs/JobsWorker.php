<?php

declare(strict_types=1);

namespace PyRoadRunner\Jobs;

use PyRoadRunner\Goridge\RelayException;
use PyRoadRunner\Worker;

/** Jobs in a worker. */
final class JobsWorker
{
    public function __construct(public readonly Worker $worker)
    {
    }

    /** The worker of the server that started this process. */
    public static function create(): self
    {
        return new self(Worker::create());
    }

    /** Waits for the next job; null when it is time to exit. */
    public function waitTask(): ?Task
    {
        while (($payload = $this->worker->waitPayload()) !== null) {
            try {
                return Task::fromContext($this->worker, $payload->context, $payload->body);
            } catch (\JsonException|\UnexpectedValueException $e) {
                $this->worker->unreadable('job', $e->getMessage(), 'jobs');
            }
        }

        return null;
    }

    /**
     * Calls the handler for each job until the server stops the worker. A job that the handler has not settled is done;
     * an exception is a failed attempt.
     *
     * @param callable(Task): void $handler
     */
    public function run(callable $handler): void
    {
        try {
            while (($task = $this->waitTask()) !== null) {
                try {
                    $handler($task);
                    if (!$task->isSettled()) {
                        $task->ack();
                    }
                } catch (RelayException $e) {
                    throw $e;
                } catch (\Throwable $e) {
                    $task->isSettled() ? \fwrite(STDERR, $e . "\n") : $task->fail((string) $e);
                }
                unset($task, $e); // frees what the job held before the wait, not after it
            }
        } catch (RelayException) {
            // The server exited without a stop.
        }
    }
}
