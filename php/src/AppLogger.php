<?php

declare(strict_types=1);

namespace PyRoadRunner;

use PyRoadRunner\Rpc\Rpc;

/**
 * The server's log, channel `app`. A method returns when the server has received the line.
 *
 * The context becomes fields: strings and Stringable unchanged, other values as JSON. Texts are UTF-8. Every method
 * throws RpcException if the server replies with an error, and RelayException if it can't be reached.
 */
final class AppLogger
{
    public function __construct(private readonly Rpc $rpc)
    {
    }

    /** The log of the server that started this process. */
    public static function create(): self
    {
        return new self(Rpc::create());
    }

    /** @param array<string, mixed> $context */
    public function error(string $message, array $context = []): void
    {
        $this->write('Error', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function warning(string $message, array $context = []): void
    {
        $this->write('Warning', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function info(string $message, array $context = []): void
    {
        $this->write('Info', $message, $context);
    }

    /** @param array<string, mixed> $context */
    public function debug(string $message, array $context = []): void
    {
        $this->write('Debug', $message, $context);
    }

    /** Writes the text unchanged to the server's stderr: no line break is added, whatever `logs` says. */
    public function log(string $message): void
    {
        $this->rpc->call('app.Log', $message);
    }

    /** @param array<string, mixed> $context */
    private function write(string $method, string $message, array $context): void
    {
        if ($context === []) {
            $this->rpc->call("app.{$method}", $message);

            return;
        }
        $entry = Protobuf::bytes(1, $message);
        foreach ($context as $key => $value) {
            $attribute = Protobuf::bytes(1, (string) $key) . Protobuf::bytes(2, self::text($value));
            $entry .= Protobuf::bytes(2, $attribute);
        }
        $this->rpc->callProto("app.{$method}WithContext", $entry);
    }

    private static function text(mixed $value): string
    {
        if (\is_string($value) || $value instanceof \Stringable) {
            return (string) $value;
        }

        return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    }
}
