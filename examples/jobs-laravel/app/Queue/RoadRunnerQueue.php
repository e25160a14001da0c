<?php

declare(strict_types=1);

namespace App\Queue;

use Illuminate\Contracts\Queue\Queue as QueueContract;
use Illuminate\Queue\Queue;
use PyRoadRunner\Jobs\Jobs;
use PyRoadRunner\Jobs\NewJob;

/** Pushes Laravel's jobs: a queue is a pipeline, and the payload is the one that Laravel makes for every driver. */
final class RoadRunnerQueue extends Queue implements QueueContract
{
    public function __construct(private readonly Jobs $jobs, private readonly string $default)
    {
    }

    public function push($job, $data = '', $queue = null)
    {
        return $this->later(0, $job, $data, $queue);
    }

    public function later($delay, $job, $data = '', $queue = null)
    {
        $queue = $queue ?? $this->default;
        $payload = $this->createPayload($job, $queue, $data);
        $push = fn (string $payload): string => $this->pushRaw($payload, $queue, ['delay' => $this->secondsUntil($delay)]);

        return $this->enqueueUsing($job, $payload, $queue, $delay ?: null, $push);
    }

    public function pushRaw($payload, $queue = null, array $options = [])
    {
        $made = json_decode($payload, true, flags: JSON_THROW_ON_ERROR);
        $job = new NewJob($made['displayName'], $payload, delay: $options['delay'] ?? 0, id: $made['uuid']);
        $this->jobs->push($queue ?? $this->default, $job);

        return $job->id;
    }

    /** The server gives the jobs to the worker. */
    public function pop($queue = null)
    {
        return null;
    }

    public function size($queue = null)
    {
        return $this->pendingSize($queue) + $this->delayedSize($queue) + $this->reservedSize($queue);
    }

    public function pendingSize($queue = null)
    {
        return $this->stat($queue, 'active');
    }

    public function delayedSize($queue = null)
    {
        return $this->stat($queue, 'delayed');
    }

    public function reservedSize($queue = null)
    {
        return $this->stat($queue, 'reserved');
    }

    public function creationTimeOfOldestPendingJob($queue = null)
    {
        return null;
    }

    private function stat(?string $queue, string $key): int
    {
        return (int) (array_column($this->jobs->stats(), $key, 'pipeline')[$queue ?? $this->default] ?? 0);
    }
}
