<?php

declare(strict_types=1);

namespace App\Queue;

use Illuminate\Container\Container;
use Illuminate\Contracts\Queue\Job as JobContract;
use Illuminate\Queue\Jobs\Job;
use PyRoadRunner\Jobs\Task;

/** A job of the server as one of Laravel. Each job gets one answer, whatever its handler calls. */
final class RoadRunnerJob extends Job implements JobContract
{
    public function __construct(Container $container, private readonly Task $task, string $connection)
    {
        $this->container = $container;
        $this->connectionName = $connection;
        $this->queue = $task->pipeline;
    }

    public function getJobId(): string
    {
        return $this->task->id;
    }

    public function getRawBody(): string
    {
        return $this->task->payload;
    }

    /** Runs so far, this one included. The server counts those whose worker died, release() counts the others. */
    public function attempts(): int
    {
        return 1 + $this->task->failedAttempts();
    }

    public function release($delay = 0): void
    {
        parent::release($delay);
        $this->task->requeue('released by Laravel', (int) $delay, ['rr_attempts' => (string) $this->attempts()]);
    }

    public function delete(): void
    {
        parent::delete();
        if (!$this->hasFailed()) {
            $this->task->ack();
        }
    }

    /** The job has failed for good: the server moves it to the pipeline's dead letters. */
    protected function failed($e): void
    {
        try {
            parent::failed($e);
        } finally {
            $this->task->nack((string) $e);
        }
    }
}
