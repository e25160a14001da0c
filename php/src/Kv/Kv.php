<?php

declare(strict_types=1);

namespace PyRoadRunner\Kv;

use PyRoadRunner\Protobuf;
use PyRoadRunner\Rpc\Rpc;

/**
 * One storage of the server's `kv` section. Keys and values are strings; serialize other values.
 *
 * A lifetime is in seconds (also fractions) or a DateInterval; null = no expiry. Zero or less deletes, as in PSR-16.
 * Every method throws RpcException if the server replies with an error, and RelayException if it can't be reached.
 */
final class Kv
{
    public function __construct(private readonly Rpc $rpc, public readonly string $storage)
    {
    }

    /** A storage of the server that started this process. */
    public static function create(string $storage): self
    {
        return new self(Rpc::create(), $storage);
    }

    public function get(string $key): ?string
    {
        return $this->getMultiple([$key])[$key] ?? null;
    }

    /**
     * @param iterable<string> $keys
     *
     * @return array<string, string> the values of the existing keys
     */
    public function getMultiple(iterable $keys): array
    {
        $values = [];
        foreach ($this->ask('MGet', self::named($keys)) as $item) {
            $values[$item['key']] = $item['value'];
        }

        return $values;
    }

    public function has(string $key): bool
    {
        return $this->ask('Has', self::named([$key])) !== [];
    }

    public function set(string $key, string $value, int|float|\DateInterval|null $ttl = null): void
    {
        $this->setMultiple([$key => $value], $ttl);
    }

    /** @param array<string, string> $values */
    public function setMultiple(array $values, int|float|\DateInterval|null $ttl = null): void
    {
        $moment = self::moment($ttl);
        if ($moment !== null && $moment <= \microtime(true)) {
            $this->deleteMultiple(\array_map(strval(...), \array_keys($values)));

            return;
        }
        $this->ask('Set', self::valued($values, $moment));
    }

    /** Stores the value if the key does not exist, atomically; returns whether it was stored. Useful as a simple lock. */
    public function add(string $key, string $value, int|float|\DateInterval|null $ttl = null): bool
    {
        return $this->ask('SetNX', self::valued([$key => $value], self::moment($ttl))) !== [];
    }

    /** Adds to a counter atomically and returns the result. A missing counter starts at 0 and gets the lifetime. */
    public function increment(string $key, int $by = 1, int|float|\DateInterval|null $ttl = null): int
    {
        return $this->count('Incr', $key, $by, $ttl);
    }

    /** Subtracts from a counter atomically and returns the result. */
    public function decrement(string $key, int $by = 1, int|float|\DateInterval|null $ttl = null): int
    {
        return $this->count('Decr', $key, $by, $ttl);
    }

    /** The expiry of the key; null = never, or it does not exist. memcached does not support it (RpcException). */
    public function expires(string $key): ?\DateTimeImmutable
    {
        $timeout = $this->ask('TTL', self::named([$key]))[0]['timeout'] ?? '';

        return $timeout === '' ? null : new \DateTimeImmutable($timeout);
    }

    /** Changes the lifetime of a key and keeps its value; has no effect on a missing key. */
    public function expire(string $key, int|float|\DateInterval $ttl): void
    {
        $this->ask('MExpire', [Protobuf::bytes(1, $key) . Protobuf::bytes(3, self::instant(self::moment($ttl)))]);
    }

    public function delete(string $key): void
    {
        $this->deleteMultiple([$key]);
    }

    /** @param iterable<string> $keys */
    public function deleteMultiple(iterable $keys): void
    {
        $this->ask('Delete', self::named($keys));
    }

    public function clear(): void
    {
        $this->ask('Clear', []);
    }

    private function count(string $method, string $key, int $by, int|float|\DateInterval|null $ttl): int
    {
        $request = Protobuf::bytes(1, $this->storage) . Protobuf::bytes(2, $key) . Protobuf::int(3, $by);
        $moment = self::moment($ttl);
        if ($moment !== null) {
            $request .= Protobuf::bytes(4, self::instant($moment));
        }
        $fields = Protobuf::fields($this->rpc->callProto("kv.{$method}", $request));

        return $fields[0][1] ?? 0; // protobuf omits zero
    }

    /**
     * @param list<string> $items encoded
     *
     * @return list<array{key: string, value: string, timeout: string}>
     */
    private function ask(string $method, array $items): array
    {
        $request = Protobuf::bytes(1, $this->storage);
        foreach ($items as $item) {
            $request .= Protobuf::bytes(2, $item);
        }
        $found = [];
        foreach (Protobuf::fields($this->rpc->callProto("kv.{$method}", $request)) as [, $item]) {
            $fields = \array_column(Protobuf::fields($item), 1, 0);
            $found[] = ['key' => $fields[1] ?? '', 'value' => $fields[2] ?? '', 'timeout' => $fields[3] ?? ''];
        }

        return $found;
    }

    /**
     * @param iterable<string> $keys
     *
     * @return list<string>
     */
    private static function named(iterable $keys): array
    {
        $items = [];
        foreach ($keys as $key) {
            $items[] = Protobuf::bytes(1, $key);
        }

        return $items;
    }

    /**
     * @param array<string, string> $values
     *
     * @return list<string>
     */
    private static function valued(array $values, ?float $moment): array
    {
        $timeout = $moment === null ? '' : Protobuf::bytes(3, self::instant($moment));
        $items = [];
        foreach ($values as $key => $value) {
            $items[] = Protobuf::bytes(1, (string) $key) . Protobuf::bytes(2, $value) . $timeout;
        }

        return $items;
    }

    /** The end of a lifetime as a UTC timestamp. */
    private static function moment(int|float|\DateInterval|null $ttl): ?float
    {
        if ($ttl instanceof \DateInterval) {
            return (float) (new \DateTimeImmutable())->add($ttl)->format('U.u');
        }

        return $ttl === null ? null : \microtime(true) + $ttl;
    }

    private static function instant(float $moment): string
    {
        $seconds = (int) \floor($moment);

        return \gmdate('Y-m-d\TH:i:s', $seconds) . \sprintf('.%03dZ', (int) (($moment - $seconds) * 1000));
    }
}
