<?php

declare(strict_types=1);

namespace PyRoadRunner\Kv;

use Psr\SimpleCache\CacheInterface;
use PyRoadRunner\Goridge\FrameException;
use PyRoadRunner\Goridge\RelayException;
use PyRoadRunner\Rpc\RpcException;

/**
 * A PSR-16 cache in a storage of the server's `kv` section. Needs the interfaces of psr/simple-cache (1, 2 or 3).
 *
 * Values are serialized with PHP's serialize(). Values that were not stored by this class (Kv, a counter) count as
 * missing. Every method throws Psr16InvalidArgument for a key, a value or a lifetime that PSR-16 forbids, and
 * Psr16Exception if the server replies with an error or can't be reached.
 */
final class Psr16Cache implements CacheInterface
{
    private const RESERVED = '{}()/\@:';

    public function __construct(private readonly Kv $kv)
    {
    }

    /** A storage of the server that started this process. */
    public static function create(string $storage): self
    {
        return new self(Kv::create($storage));
    }

    public function get($key, $default = null): mixed
    {
        return $this->getMultiple([$key], $default)[$key];
    }

    public function set($key, $value, $ttl = null): bool
    {
        return $this->setMultiple([self::key($key) => $value], $ttl);
    }

    public function delete($key): bool
    {
        return $this->deleteMultiple([$key]);
    }

    public function clear(): bool
    {
        $this->ask(fn () => $this->kv->clear());

        return true;
    }

    /** @return array<string, mixed> every key, in the requested order */
    public function getMultiple($keys, $default = null): iterable
    {
        $names = self::keys($keys);
        $found = $names === [] ? [] : $this->ask(fn () => $this->kv->getMultiple($names));
        $values = [];
        foreach ($names as $name) {
            $values[$name] = isset($found[$name]) ? self::decode($found[$name], $default) : $default;
        }

        return $values;
    }

    public function setMultiple($values, $ttl = null): bool
    {
        if (!\is_iterable($values)) {
            throw new Psr16InvalidArgument('values are an array or Traversable, not ' . \get_debug_type($values));
        }
        if ($ttl !== null && !\is_int($ttl) && !$ttl instanceof \DateInterval) {
            throw new Psr16InvalidArgument('a lifetime is seconds, a DateInterval or null, not ' . \get_debug_type($ttl));
        }
        $encoded = [];
        foreach ($values as $key => $value) {
            $encoded[self::key($key)] = self::encode($value);
        }
        if ($encoded !== []) {
            $this->ask(fn () => $this->kv->setMultiple($encoded, $ttl));
        }

        return true;
    }

    public function deleteMultiple($keys): bool
    {
        $names = self::keys($keys);
        if ($names !== []) {
            $this->ask(fn () => $this->kv->deleteMultiple($names));
        }

        return true;
    }

    public function has($key): bool
    {
        $name = self::key($key);

        return $this->ask(fn () => $this->kv->has($name));
    }

    /** Runs a call and converts its exceptions to those of PSR-16. */
    private function ask(callable $call): mixed
    {
        try {
            return $call();
        } catch (RpcException|RelayException|FrameException $error) {
            throw new Psr16Exception($error->getMessage(), 0, $error);
        }
    }

    /** @return list<string> */
    private static function keys(mixed $keys): array
    {
        if (!\is_iterable($keys)) {
            throw new Psr16InvalidArgument('keys are an array or Traversable, not ' . \get_debug_type($keys));
        }
        $names = [];
        foreach ($keys as $key) {
            $names[] = self::key($key);
        }

        return $names;
    }

    private static function key(mixed $key): string
    {
        if (\is_int($key)) {
            return (string) $key; // PHP converts the array key "7" to an integer
        }
        if (!\is_string($key) || $key === '' || \strpbrk($key, self::RESERVED) !== false) {
            $what = \is_string($key) ? \json_encode($key, JSON_INVALID_UTF8_SUBSTITUTE) : \get_debug_type($key);
            throw new Psr16InvalidArgument("a key is a string, not empty and without " . self::RESERVED . ", not {$what}");
        }

        return $key;
    }

    private static function encode(mixed $value): string
    {
        try {
            return \serialize($value);
        } catch (\Throwable $error) {
            throw new Psr16InvalidArgument($error->getMessage(), 0, $error);
        }
    }

    private static function decode(string $bytes, mixed $default): mixed
    {
        $value = @\unserialize($bytes);

        return $value === false && $bytes !== 'b:0;' ? $default : $value;
    }
}
