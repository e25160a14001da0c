<?php

declare(strict_types=1);

namespace PyRoadRunner;

use Psr\Log\InvalidArgumentException;
use Psr\Log\LoggerInterface;
use Psr\Log\LoggerTrait;
use Psr\Log\LogLevel;
use PyRoadRunner\Goridge\FrameException;
use PyRoadRunner\Goridge\RelayException;
use PyRoadRunner\Rpc\RpcException;

/**
 * A PSR-3 logger that writes to the server's log. Needs the interfaces of psr/log (1, 2 or 3).
 *
 * The server has four levels: emergency, alert and critical become errors, notice becomes info, and the field
 * `severity` has the original level. Logging never throws: a line that can't be sent to the server goes to stderr.
 */
final class Psr3Logger implements LoggerInterface
{
    use LoggerTrait;

    private const METHODS = [
        LogLevel::EMERGENCY => 'error',
        LogLevel::ALERT => 'error',
        LogLevel::CRITICAL => 'error',
        LogLevel::ERROR => 'error',
        LogLevel::WARNING => 'warning',
        LogLevel::NOTICE => 'info',
        LogLevel::INFO => 'info',
        LogLevel::DEBUG => 'debug',
    ];
    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE
        | JSON_PARTIAL_OUTPUT_ON_ERROR;

    public function __construct(private readonly AppLogger $log)
    {
    }

    /** The log of the server that started this process. */
    public static function create(): self
    {
        return new self(AppLogger::create());
    }

    /**
     * @param mixed               $level   one of Psr\Log\LogLevel
     * @param string|\Stringable  $message `{name}` is replaced by a value of the context
     * @param array<string, mixed> $context
     *
     * @throws InvalidArgumentException the level is unknown
     */
    public function log($level, $message, array $context = []): void
    {
        $method = \is_string($level) ? self::METHODS[$level] ?? null : null;
        if ($method === null) {
            throw new InvalidArgumentException('not a level of PSR-3: ' . \get_debug_type($level)
                . (\is_scalar($level) ? " {$level}" : ''));
        }
        $fields = [];
        foreach ($context as $name => $value) {
            $fields[self::utf8((string) $name)] = self::text($value);
        }
        $message = self::text($message);
        if (\str_contains($message, '{')) {
            $named = \array_map(static fn (int|string $name): string => "{{$name}}", \array_keys($fields));
            $message = \strtr($message, \array_combine($named, $fields));
        }
        if ($method !== $level) {
            $fields += ['severity' => $level];
        }
        try {
            $this->log->$method($message, $fields);
        } catch (RpcException|RelayException|FrameException $reason) {
            $context = $fields === [] ? '' : ' ' . \json_encode($fields, self::JSON);
            \fwrite(STDERR, "{$level}: {$message}{$context} (not logged: {$reason->getMessage()})\n");
        }
    }

    private static function text(mixed $value): string
    {
        try {
            return self::utf8(match (true) {
                \is_string($value), $value instanceof \Stringable => (string) $value,
                $value instanceof \DateTimeInterface => $value->format(\DATE_RFC3339_EXTENDED),
                \is_object($value) && !$value instanceof \JsonSerializable && !$value instanceof \stdClass,
                \is_resource($value) => \get_debug_type($value),
                default => (string) \json_encode($value, self::JSON),
            });
        } catch (\Throwable $error) { // from the value's __toString or jsonSerialize
            return \get_debug_type($value) . ' (' . \get_debug_type($error) . ')';
        }
    }

    /** The server accepts UTF-8 only; other bytes become U+FFFD. */
    private static function utf8(string $text): string
    {
        return \preg_match('//u', $text) === 1
            ? $text
            : (string) \json_decode((string) \json_encode($text, JSON_INVALID_UTF8_SUBSTITUTE));
    }
}
