<?php

declare(strict_types=1);

namespace PyRoadRunner\Jobs;

use PyRoadRunner\Protobuf;
use PyRoadRunner\Rpc\Rpc;

/**
 * The server's queues: pushes jobs and controls pipelines.
 *
 * Every method throws RpcException if the server replies with an error, and RelayException if it can't be reached.
 */
final class Jobs
{
    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** The queues of the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /** Returns when the broker has the job. */
    public function push(string $pipeline, NewJob $job): void
    {
        $this->rpc->callProto('jobs.Push', Protobuf::bytes(1, $job->encode($pipeline)));
    }

    /**
     * Pushes jobs in order. After an error those before it are pushed.
     *
     * @param iterable<NewJob> $jobs
     */
    public function pushMany(string $pipeline, iterable $jobs): void
    {
        $message = '';
        foreach ($jobs as $job) {
            $message .= Protobuf::bytes(1, $job->encode($pipeline));
        }
        $this->rpc->callProto('jobs.PushBatch', $message);
    }

    /**
     * Makes a pipeline; it is paused.
     *
     * @param array<string, string|int|bool|array<mixed>> $options keys of the driver's config
     */
    public function declare(string $pipeline, string $driver, array $options = []): void
    {
        $message = '';
        foreach (['name' => $pipeline, 'driver' => $driver] + $options as $key => $value) {
            $text = match (true) {
                \is_bool($value) => $value ? 'true' : 'false',
                \is_array($value) => \json_encode($value, JSON_THROW_ON_ERROR),
                default => (string) $value,
            };
            $message .= Protobuf::bytes(1, Protobuf::bytes(1, $key) . Protobuf::bytes(2, $text));
        }
        $this->rpc->callProto('jobs.Declare', $message);
    }

    /** Receives no more jobs from the broker; pushing still works. */
    public function pause(string ...$pipelines): void
    {
        $this->rpc->callProto('jobs.Pause', self::named($pipelines));
    }

    public function resume(string ...$pipelines): void
    {
        $this->rpc->callProto('jobs.Resume', self::named($pipelines));
    }

    /** Ends pipelines; their jobs stay on the broker. */
    public function destroy(string ...$pipelines): void
    {
        $this->rpc->callProto('jobs.Destroy', self::named($pipelines));
    }

    /** @return list<array<string, mixed>> pipeline, driver, queue, active, delayed, reserved, ready, priority, state */
    public function stats(): array
    {
        return $this->rpc->call('jobs.Stat')['stats'] ?? [];
    }

    /** @param array<string> $pipelines */
    private static function named(array $pipelines): string
    {
        return \implode('', \array_map(static fn (string $name): string => Protobuf::bytes(1, $name), $pipelines));
    }
}
