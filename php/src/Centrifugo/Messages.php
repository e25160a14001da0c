<?php

declare(strict_types=1);

namespace PyRoadRunner\Centrifugo;

use PyRoadRunner\Protobuf;

/**
 * The messages of Centrifugo's proxy, as tables: name of a field => number and kind. A kind is text, json (bytes), int,
 * bool, texts (a list), map (text to text), switch (a bool that may be absent), or a table: one message. A list of
 * messages and a map to messages are ['list', table] and ['map', table].
 *
 * @internal
 */
final class Messages
{
    private const CLIENT = [
        'client' => [1, 'text'],
        'transport' => [2, 'text'],
        'protocol' => [3, 'text'],
        'encoding' => [4, 'text'],
    ];
    private const REQUESTS = [
        'connect' => self::CLIENT + [
            'data' => [10, 'json'],
            'b64data' => [11, 'text'],
            'name' => [12, 'text'],
            'version' => [13, 'text'],
            'channels' => [14, 'texts'],
        ],
        'refresh' => self::CLIENT + ['user' => [10, 'text'], 'meta' => [11, 'json'], 'labels' => [12, 'map']],
        'subscribe' => self::CLIENT + [
            'user' => [10, 'text'],
            'channel' => [11, 'text'],
            'token' => [12, 'text'],
            'meta' => [13, 'json'],
            'data' => [14, 'json'],
            'b64data' => [15, 'text'],
            'labels' => [16, 'map'],
        ],
        'publish' => self::CLIENT + [
            'user' => [10, 'text'],
            'channel' => [11, 'text'],
            'data' => [12, 'json'],
            'b64data' => [13, 'text'],
            'meta' => [14, 'json'],
            'labels' => [15, 'map'],
        ],
        'rpc' => self::CLIENT + [
            'user' => [10, 'text'],
            'method' => [11, 'text'],
            'data' => [12, 'json'],
            'b64data' => [13, 'text'],
            'meta' => [14, 'json'],
            'labels' => [15, 'map'],
        ],
        'subrefresh' => self::CLIENT + [
            'user' => [10, 'text'],
            'channel' => [11, 'text'],
            'meta' => [12, 'json'],
            'labels' => [13, 'map'],
        ],
        'notifychannelstate' => ['events' => [1, ['list', self::EVENT]]],
        'notifycacheempty' => ['channel' => [1, 'text']],
        'mappublish' => self::CLIENT + [
            'user' => [10, 'text'],
            'channel' => [11, 'text'],
            'key' => [12, 'text'],
            'data' => [13, 'json'],
            'b64data' => [14, 'text'],
            'meta' => [15, 'json'],
            'labels' => [16, 'map'],
        ],
        'mapremove' => self::CLIENT + [
            'user' => [10, 'text'],
            'channel' => [11, 'text'],
            'key' => [12, 'text'],
            'meta' => [13, 'json'],
            'labels' => [14, 'map'],
        ],
        'sharedpollrefresh' => [
            'channel' => [1, 'text'],
            'items' => [2, ['list', ['key' => [1, 'text'], 'version' => [2, 'int']]]],
        ],
    ];
    private const EVENT = ['time_ms' => [1, 'int'], 'channel' => [2, 'text'], 'type' => [3, 'text']];
    private const CAPABILITY = ['channels' => [1, 'texts'], 'allow' => [2, 'texts'], 'match' => [3, 'text']];
    private const OVERRIDE = [
        'presence' => [1, 'switch'],
        'join_leave' => [2, 'switch'],
        'force_recovery' => [3, 'switch'],
        'force_positioning' => [4, 'switch'],
        'force_push_join_leave' => [5, 'switch'],
    ];
    private const OPTIONS = [
        'expire_at' => [1, 'int'],
        'info' => [2, 'json'],
        'b64info' => [3, 'text'],
        'data' => [4, 'json'],
        'b64data' => [5, 'text'],
        'override' => [6, self::OVERRIDE],
    ];
    private const RESULTS = [
        'connect' => [
            'user' => [1, 'text'],
            'expire_at' => [2, 'int'],
            'info' => [3, 'json'],
            'b64info' => [4, 'text'],
            'data' => [5, 'json'],
            'b64data' => [6, 'text'],
            'channels' => [7, 'texts'],
            'subs' => [8, ['map', self::OPTIONS + ['cache_recover' => [8, 'bool']]]],
            'meta' => [9, 'json'],
            'caps' => [10, ['list', self::CAPABILITY]],
            'labels' => [11, 'map'],
        ],
        'refresh' => [
            'expired' => [1, 'bool'],
            'expire_at' => [2, 'int'],
            'info' => [3, 'json'],
            'b64info' => [4, 'text'],
            'meta' => [5, 'json'],
            'caps' => [6, ['list', self::CAPABILITY]],
        ],
        'subscribe' => self::OPTIONS + ['allow' => [7, 'texts']],
        'publish' => [
            'data' => [1, 'json'],
            'b64data' => [2, 'text'],
            'skip_history' => [3, 'bool'],
            'tags' => [4, 'map'],
            'idempotency_key' => [5, 'text'],
            'delta' => [6, 'bool'],
            'version' => [7, 'int'],
            'version_epoch' => [8, 'text'],
        ],
        'rpc' => ['data' => [1, 'json'], 'b64data' => [2, 'text']],
        'subrefresh' => [
            'expired' => [1, 'bool'],
            'expire_at' => [2, 'int'],
            'info' => [3, 'json'],
            'b64info' => [4, 'text'],
        ],
        'notifychannelstate' => [],
        'notifycacheempty' => ['populated' => [1, 'bool']],
        'mappublish' => [
            'key' => [1, 'text'],
            'data' => [2, 'json'],
            'b64data' => [3, 'text'],
            'tags' => [4, 'map'],
            'score' => [5, 'int'],
            'key_mode' => [6, 'text'],
            'stream_data' => [7, 'json'],
            'b64stream_data' => [8, 'text'],
            'idempotency_key' => [9, 'text'],
            'delta' => [10, 'bool'],
            'version' => [11, 'int'],
            'version_epoch' => [12, 'text'],
        ],
        'mapremove' => ['key' => [1, 'text'], 'tags' => [2, 'map'], 'idempotency_key' => [3, 'text']],
        'sharedpollrefresh' => [
            'items' => [1, ['list', [
                'key' => [1, 'text'],
                'data' => [2, 'json'],
                'version' => [3, 'int'],
                'removed' => [4, 'bool'],
                'prev_data' => [5, 'json'],
            ]]],
            'epoch' => [2, 'text'],
        ],
    ];

    /**
     * The fields of a request. A type that this version does not know has none.
     *
     * @return array<string, mixed>
     *
     * @throws \PyRoadRunner\ProtobufException
     */
    public static function request(string $type, string $message): array
    {
        return self::decode(self::REQUESTS[self::name($type)] ?? [], $message);
    }

    /**
     * A response with a result.
     *
     * @param array<string, mixed> $result
     */
    public static function result(string $type, array $result): string
    {
        $table = self::RESULTS[self::name($type)] ?? throw new \LogicException("the call {$type} is unknown");

        return Protobuf::bytes(1, self::encode($table, $result, "the result of {$type}"));
    }

    public static function error(int $code, string $message, bool $temporary): string
    {
        $error = Protobuf::int(1, $code) . Protobuf::bytes(2, $message) . ($temporary ? Protobuf::int(3, 1) : '');

        return Protobuf::bytes(2, $error);
    }

    public static function disconnect(int $code, string $reason): string
    {
        return Protobuf::bytes(3, Protobuf::int(1, $code) . Protobuf::bytes(2, $reason));
    }

    /** `centrifuge.sub_refresh_type` may give SubRefresh its other name. */
    private static function name(string $type): string
    {
        return $type === 'sub_refresh' ? 'subrefresh' : $type;
    }

    /**
     * @param array<string, array{int, string|array<mixed>}> $table
     *
     * @return array<string, mixed>
     */
    private static function decode(array $table, string $message): array
    {
        $fields = $names = [];
        foreach ($table as $name => [$number, $kind]) {
            $names[$number] = $name;
            $fields[$name] = match ($kind) {
                'text', 'json' => '',
                'int' => 0,
                'bool' => false,
                default => [],
            };
        }
        foreach (Protobuf::fields($message) as [$number, $value]) {
            $name = $names[$number] ?? null;
            if ($name === null) {
                continue;
            }
            $kind = $table[$name][1];
            if ($kind === 'texts') {
                $fields[$name][] = $value;
            } elseif ($kind === 'map') {
                $entry = \array_column(Protobuf::fields((string) $value), 1, 0);
                $fields[$name][$entry[1] ?? ''] = $entry[2] ?? '';
            } elseif (\is_array($kind)) {
                $fields[$name][] = self::decode($kind[1], (string) $value);
            } else {
                $fields[$name] = $kind === 'bool' ? (bool) $value : $value;
            }
        }

        return $fields;
    }

    /**
     * @param array<string, array{int, string|array<mixed>}> $table
     * @param array<string, mixed>                           $fields
     */
    private static function encode(array $table, array $fields, string $what): string
    {
        $message = '';
        foreach ($fields as $name => $value) {
            [$number, $kind] = $table[$name] ?? throw new \LogicException(
                "{$what} has no field {$name}; there are " . \implode(', ', \array_keys($table)),
            );
            if ($value === null) {
                continue;
            }
            $message .= \is_array($kind)
                ? self::nested($number, $kind, $value, "{$what}, {$name}")
                : self::plain($number, $kind, $value);
        }

        return $message;
    }

    /** @param array<mixed> $kind */
    private static function nested(int $number, array $kind, mixed $value, string $what): string
    {
        $message = '';
        if (($kind[0] ?? '') === 'list') {
            foreach ($value as $item) {
                $message .= Protobuf::bytes($number, self::encode($kind[1], $item, $what));
            }
        } elseif (($kind[0] ?? '') === 'map') {
            foreach ($value as $key => $item) {
                $entry = Protobuf::bytes(1, (string) $key) . Protobuf::bytes(2, self::encode($kind[1], $item, $what));
                $message .= Protobuf::bytes($number, $entry);
            }
        } else {
            $message = Protobuf::bytes($number, self::encode($kind, $value, $what));
        }

        return $message;
    }

    private static function plain(int $number, string $kind, mixed $value): string
    {
        $message = '';
        switch ($kind) {
            case 'texts':
                foreach ($value as $item) {
                    $message .= Protobuf::bytes($number, (string) $item);
                }

                return $message;
            case 'map':
                foreach ($value as $key => $item) {
                    $entry = Protobuf::bytes(1, (string) $key) . Protobuf::bytes(2, (string) $item);
                    $message .= Protobuf::bytes($number, $entry);
                }

                return $message;
            case 'switch':
                return Protobuf::bytes($number, Protobuf::int(1, (int) $value));
            case 'json':
                return Protobuf::bytes($number, \is_string($value) ? $value : self::json($value));
            case 'text':
                return Protobuf::bytes($number, (string) $value);
            default:
                return Protobuf::int($number, $value instanceof \DateTimeInterface ? $value->getTimestamp() : (int) $value);
        }
    }

    private static function json(mixed $value): string
    {
        return \json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    }
}
