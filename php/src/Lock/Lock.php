<?php

declare(strict_types=1);

namespace PyRoadRunner\Lock;

use PyRoadRunner\Rpc\Rpc;

/**
 * Named locks of the server. Times are seconds; a lifetime of 0 = no expiry.
 *
 * Every method throws RpcException if the server replies with an error, and RelayException if it can't be reached.
 */
final class Lock
{
    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** The locks of the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /** @return string|null the id to release it with; null: another owner holds it */
    public function lock(string $resource, ?string $id = null, float $ttl = 0, float $wait = 0): ?string
    {
        return $this->take('Lock', $resource, $id, $ttl, $wait);
    }

    /** Acquires a lock that is shared with other readers. */
    public function lockRead(string $resource, ?string $id = null, float $ttl = 0, float $wait = 0): ?string
    {
        return $this->take('LockRead', $resource, $id, $ttl, $wait);
    }

    /** @return bool false: $id does not hold it */
    public function release(string $resource, string $id): bool
    {
        return $this->ask('Release', ['resource' => $resource, 'id' => $id]);
    }

    /** Releases it for all its owners. */
    public function forceRelease(string $resource): bool
    {
        return $this->ask('ForceRelease', ['resource' => $resource]);
    }

    public function exists(string $resource, string $id = '*'): bool
    {
        return $this->ask('Exists', ['resource' => $resource, 'id' => $id]);
    }

    /** Lets it expire $ttl seconds from now. */
    public function updateTtl(string $resource, string $id, float $ttl): bool
    {
        return $this->ask('UpdateTTL', ['resource' => $resource, 'id' => $id, 'ttl' => self::micro($ttl)]);
    }

    private function take(string $method, string $resource, ?string $id, float $ttl, float $wait): ?string
    {
        $id ??= bin2hex(random_bytes(16));
        $request = ['resource' => $resource, 'id' => $id, 'ttl' => self::micro($ttl), 'wait' => self::micro($wait)];

        return $this->ask($method, $request) ? $id : null;
    }

    /** @param array<string, string|int> $request */
    private function ask(string $method, array $request): bool
    {
        return $this->rpc->call("lock.$method", $request)['ok'] ?? false;
    }

    private static function micro(float $seconds): int
    {
        return (int) round($seconds * 1_000_000);
    }
}
